/*
 * Formatting and the log. A line is formatted into a buffer of its own call and written in one go
 * under the log's lock, so that lines of two processors do not mix.
 */
#include "kernel/core/log.h"
#include "arch/arch.h"
#include "kernel/core/spinlock.h"

#define LOG_LINE_MAX 256

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_RANK_LOG, "log");
static enum log_level log_level = LOG_INFO;

/* Where formatted characters go; counts on when it is full. */
struct sink {
	char  *at;
	size_t left;       /* room, the terminator's excluded */
	size_t count;
};

struct conversion {
	uint32_t width;
	bool     zero;
	bool     left;
	uint32_t longs;    /* 1: long or size_t or longer */
};

static void sink_char(struct sink *sink, char c)
{
	if (sink->left == 0)
		return;
	*sink->at++ = c;
	sink->left--;
	sink->count++;
}

static void sink_padded(
		struct sink *sink, const char *chars, size_t count, const struct conversion *how)
{
	size_t pad = how->width > count ? how->width - count : 0;

	for (; pad > 0 && !how->left; pad--)
		sink_char(sink, how->zero ? '0' : ' ');
	for (size_t i = 0; i < count; i++)
		sink_char(sink, chars[i]);
	for (; pad > 0; pad--)
		sink_char(sink, ' ');
}

static void sink_number(struct sink *sink, uint64_t value, uint32_t base, bool negative,
		struct conversion *how)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (negative && how->zero) {
		sink_char(sink, '-');
		how->width -= how->width > 0;
	} else if (negative) {
		digits[--at] = '-';
	}
	sink_padded(sink, digits + at, sizeof(digits) - at, how);
}

static const char *conversion_read(const char *format, struct conversion *how)
{
	*how = (struct conversion){ 0 };
	for (; *format == '-' || *format == '0'; format++) {
		how->left |= *format == '-';
		how->zero |= *format == '0';
	}
	for (; *format >= '0' && *format <= '9'; format++)
		how->width = how->width * 10 + (uint32_t)(*format - '0');
	for (; *format == 'l' || *format == 'z'; format++)
		how->longs++;
	return format;
}

static void sink_string(struct sink *sink, const char *chars, const struct conversion *how)
{
	size_t count = 0;

	if (chars == NULL)
		chars = "(null)";
	while (chars[count] != '\0')
		count++;
	sink_padded(sink, chars, count, how);
}

/* va_list by pointer, so that the caller's advances. */
struct arguments {
	va_list list;
};

static void sink_conversion(
		struct sink *sink, char letter, struct conversion *how, struct arguments *args)
{
	int64_t number;
	char c;

	switch (letter) {
	case 's':
		sink_string(sink, va_arg(args->list, const char *), how);
		break;
	case 'c':
		c = (char)va_arg(args->list, int);
		sink_padded(sink, &c, 1, how);
		break;
	case 'd':
		number = how->longs > 0 ? va_arg(args->list, long) : va_arg(args->list, int);
		sink_number(sink, number < 0 ? -(uint64_t)number : (uint64_t)number, 10, number < 0,
				how);
		break;
	case 'u':
	case 'x':
		sink_number(sink,
				how->longs > 0 ? va_arg(args->list, unsigned long)
					       : va_arg(args->list, unsigned int),
				letter == 'u' ? 10 : 16, false, how);
		break;
	case 'p':
		sink_char(sink, '0');
		sink_char(sink, 'x');
		sink_number(sink, (uint64_t)va_arg(args->list, void *), 16, false, how);
		break;
	default:
		sink_char(sink, letter);
		break;
	}
}

size_t format_chars_va(char *buffer, size_t size, const char *format, va_list list)
{
	struct sink sink = { buffer, size > 0 ? size - 1 : 0, 0 };
	struct conversion how;
	struct arguments args;

	va_copy(args.list, list);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			sink_char(&sink, *format);
			continue;
		}
		format = conversion_read(format + 1, &how);
		if (*format == '\0')
			break;
		sink_conversion(&sink, *format, &how, &args);
	}
	va_end(args.list);
	if (size > 0)
		*sink.at = '\0';
	return sink.count;
}

size_t format_chars(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t count;

	va_start(args, format);
	count = format_chars_va(buffer, size, format, args);
	va_end(args);
	return count;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_chars(const char *chars, size_t count)
{
	spin_lock(&log_lock);
	arch_console_write(chars, count);
	spin_unlock(&log_lock);
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const prefixes[] = {
		[LOG_ERROR] = "ERROR: ",
		[LOG_WARNING] = "WARNING: ",
		[LOG_INFO] = "capos: ",
		[LOG_DEBUG] = "capos: ",
	};
	char line[LOG_LINE_MAX];
	size_t count;
	va_list args;

	if (level > log_level)
		return;
	count = format_chars(line, sizeof(line) - 1, "%s", prefixes[level]);
	va_start(args, format);
	count += format_chars_va(line + count, sizeof(line) - 1 - count, format, args);
	va_end(args);
	line[count++] = '\n';
	log_chars(line, count);
}
