/*
 * Formatting: one pass over the format, each conversion decoded into a `struct spec` and then put
 * with its padding. Characters beyond the buffer are counted and dropped.
 */
#include "rt/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct output {
	char *buffer;
	size_t size;
	size_t length; /* of the whole result, also beyond the buffer */
};

struct spec {
	bool left;
	bool zero;
	bool plus;
	bool space;
	bool prefix;
	bool has_precision;
	size_t width;
	size_t precision;
	unsigned int bytes; /* of an integer argument */
};

static void put(struct output *out, char character)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = character;
	out->length++;
}

static void put_many(struct output *out, char character, size_t count)
{
	while (count-- != 0)
		put(out, character);
}

/* A conversion's text between its padding. `sign` is what stands before zero padding. */
static void put_field(struct output *out, const struct spec *spec, const char *sign,
		const char *text, size_t count, size_t zeros)
{
	size_t sign_count = strlen(sign);
	size_t used = sign_count + zeros + count;
	size_t padding = spec->width > used ? spec->width - used : 0;
	size_t i;

	if (spec->zero && !spec->left && !spec->has_precision) {
		zeros += padding;
		padding = 0;
	}
	if (!spec->left)
		put_many(out, ' ', padding);
	for (i = 0; i < sign_count; i++)
		put(out, sign[i]);
	put_many(out, '0', zeros);
	for (i = 0; i < count; i++)
		put(out, text[i]);
	if (spec->left)
		put_many(out, ' ', padding);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value,
		unsigned int base, const char *digits, const char *sign)
{
	char text[24];
	size_t at = sizeof(text);
	size_t count;

	for (; value != 0; value /= base)
		text[--at] = digits[value % base];
	if (at == sizeof(text) && !(spec->has_precision && spec->precision == 0))
		text[--at] = '0';
	count = sizeof(text) - at;
	put_field(out, spec, sign, text + at, count,
			spec->has_precision && spec->precision > count ? spec->precision - count
								       : 0);
}

static uint64_t unsigned_cut(uint64_t value, unsigned int bytes)
{
	return bytes == 8 ? value : value & ((1ull << (bytes * 8)) - 1);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	const char *sign = spec->plus ? "+" : spec->space ? " " : "";
	uint64_t magnitude = (uint64_t)value;

	if (spec->bytes == 1)
		magnitude = (uint64_t)(int64_t)(int8_t)value;
	else if (spec->bytes == 2)
		magnitude = (uint64_t)(int64_t)(int16_t)value;
	if ((int64_t)magnitude < 0) {
		magnitude = 0 - magnitude;
		sign = "-";
	}
	put_number(out, spec, magnitude, 10, "0123456789", sign);
}

static void put_string(struct output *out, struct spec *spec, const char *string)
{
	size_t count_max = spec->has_precision ? spec->precision : SIZE_MAX;

	if (string == NULL)
		string = "(null)";
	spec->zero = false;
	put_field(out, spec, "", string, strnlen(string, count_max), 0);
}

static const char *parse_flags(const char *at, struct spec *spec)
{
	for (;; at++) {
		if (*at == '-')
			spec->left = true;
		else if (*at == '0')
			spec->zero = true;
		else if (*at == '+')
			spec->plus = true;
		else if (*at == ' ')
			spec->space = true;
		else if (*at == '#')
			spec->prefix = true;
		else
			return at;
	}
}

static const char *parse_digits(const char *at, size_t *value)
{
	for (*value = 0; *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (size_t)(*at - '0');
	return at;
}

static const char *parse_size(const char *at, struct spec *spec)
{
	spec->bytes = sizeof(int);
	if (*at == 'l' || *at == 'z' || *at == 'j' || *at == 't') {
		spec->bytes = 8;
		at += at[0] == 'l' && at[1] == 'l' ? 2 : 1;
	} else if (*at == 'h') {
		spec->bytes = at[1] == 'h' ? 1 : 2;
		at += at[1] == 'h' ? 2 : 1;
	}
	return at;
}

/* Width and precision; a negative '*' width means left, a negative '*' precision none. */
static const char *parse_extent(const char *at, struct spec *spec, va_list *args)
{
	int given;

	if (*at == '*') {
		at++;
		given = va_arg(*args, int);
		spec->left = spec->left || given < 0;
		spec->width = given < 0 ? (size_t)-(int64_t)given : (size_t)given;
	} else {
		at = parse_digits(at, &spec->width);
	}
	if (*at != '.')
		return at;
	at++;
	spec->has_precision = true;
	if (*at != '*')
		return parse_digits(at, &spec->precision);
	at++;
	given = va_arg(*args, int);
	spec->has_precision = given >= 0;
	spec->precision = given < 0 ? 0 : (size_t)given;
	return at;
}

static int64_t take_integer(const struct spec *spec, va_list *args)
{
	return spec->bytes == 8 ? va_arg(*args, int64_t) : (int64_t)va_arg(*args, int);
}

static void convert(struct output *out, struct spec *spec, char conversion, va_list *args)
{
	char character;

	switch (conversion) {
	case 'd':
	case 'i':
		put_signed(out, spec, take_integer(spec, args));
		break;
	case 'u':
		put_number(out, spec, unsigned_cut((uint64_t)take_integer(spec, args), spec->bytes),
				10, "0123456789", "");
		break;
	case 'x':
		put_number(out, spec, unsigned_cut((uint64_t)take_integer(spec, args), spec->bytes),
				16, "0123456789abcdef", spec->prefix ? "0x" : "");
		break;
	case 'X':
		put_number(out, spec, unsigned_cut((uint64_t)take_integer(spec, args), spec->bytes),
				16, "0123456789ABCDEF", spec->prefix ? "0X" : "");
		break;
	case 'p':
		put_number(out, spec, (uint64_t)(uintptr_t)va_arg(*args, void *), 16,
				"0123456789abcdef", "0x");
		break;
	case 'c':
		character = (char)va_arg(*args, int);
		spec->zero = false;
		put_field(out, spec, "", &character, 1, 0);
		break;
	case 's':
		put_string(out, spec, va_arg(*args, const char *));
		break;
	default:
		put(out, conversion);
		break;
	}
}

static void format_run(struct output *out, const char *format, va_list *args)
{
	const char *at = format;

	while (*at != '\0') {
		struct spec spec = { 0 };

		if (*at != '%') {
			put(out, *at++);
			continue;
		}
		at = parse_flags(at + 1, &spec);
		at = parse_extent(at, &spec, args);
		at = parse_size(at, &spec);
		if (*at == '\0')
			return;
		convert(out, &spec, *at++, args);
	}
}

static size_t format_all(char *buffer, size_t size, const char *format, va_list args)
{
	struct output out = { buffer, size, 0 };
	va_list copy;

	va_copy(copy, args);
	format_run(&out, format, &copy);
	va_end(copy);
	if (size != 0)
		buffer[MIN(out.length, size - 1)] = '\0';
	return out.length;
}

size_t format_into_va(char *buffer, size_t size, const char *format, va_list args)
{
	size_t length = format_all(buffer, size, format, args);

	if (size == 0)
		return 0;
	return MIN(length, size - 1);
}

size_t format_into(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_into_va(buffer, size, format, args);
	va_end(args);
	return length;
}

int rt_snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_all(buffer, size, format, args);
	va_end(args);
	return (int)length;
}
