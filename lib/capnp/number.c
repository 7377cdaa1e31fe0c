/*
 * Decimal text of floating point numbers: see number.h. A double is a mantissa times a power of two,
 * so its decimal expansion is finite and a big integer of some 80 words holds it; everything is
 * done on that integer and rounded once.
 */
#include "capnp/number.h"

#include <stddef.h>

#define BIG_WORDS    96u        /* 10^400 * 2^64 and 2^53 * 5^1074 fit */
#define DIGITS_MAX   800u       /* of 2^53 * 5^1074 */
#define SIGNIFICANT  40u        /* digits of input that are kept; the others only say "more" */
#define EXPONENT_MAX 400

/* Little-endian; `used` words, none of them a leading zero. */
struct big {
	uint32_t words[BIG_WORDS];
	uint32_t used;
};

struct format {
	uint32_t mantissa_bits;         /* without the implicit one */
	uint32_t exponent_bits;
	int32_t bias;
};

/* Digits that are tried one after the other. */
static const uint8_t precisions[2][3] = { { 15, 17, 17 }, { 6, 8, 9 } };

static const struct format formats[2] = { { 52, 11, 1023 }, { 23, 8, 127 } };

static void big_set(struct big *big, uint64_t value)
{
	big->words[0] = (uint32_t)value;
	big->words[1] = (uint32_t)(value >> 32);
	big->used = big->words[1] != 0 ? 2 : big->words[0] != 0;
}

static void big_multiply(struct big *big, uint32_t factor, uint32_t addend)
{
	uint64_t carry = addend;

	for (uint32_t i = 0; i < big->used; i++) {
		carry += (uint64_t)big->words[i] * factor;
		big->words[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry != 0 && big->used < BIG_WORDS)
		big->words[big->used++] = (uint32_t)carry;
}

static void big_multiply_power(struct big *big, uint32_t base, int32_t exponent)
{
	for (int32_t i = 0; i < exponent; i++)
		big_multiply(big, base, 0);
}

/* Divides and gives the remainder. */
static uint32_t big_divide(struct big *big, uint32_t divisor)
{
	uint64_t rest = 0;

	for (uint32_t i = big->used; i > 0; i--) {
		rest = rest << 32 | big->words[i - 1];
		big->words[i - 1] = (uint32_t)(rest / divisor);
		rest %= divisor;
	}
	while (big->used > 0 && big->words[big->used - 1] == 0)
		big->used--;
	return (uint32_t)rest;
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->used != b->used)
		return a->used < b->used ? -1 : 1;
	for (uint32_t i = a->used; i > 0; i--)
		if (a->words[i - 1] != b->words[i - 1])
			return a->words[i - 1] < b->words[i - 1] ? -1 : 1;
	return 0;
}

/* a -= b, where a is at least b. */
static void big_subtract(struct big *a, const struct big *b)
{
	uint64_t borrow = 0;

	for (uint32_t i = 0; i < a->used; i++) {
		uint64_t take = borrow + (i < b->used ? b->words[i] : 0);

		borrow = a->words[i] < take;
		a->words[i] = (uint32_t)(a->words[i] - take);
	}
	while (a->used > 0 && a->words[a->used - 1] == 0)
		a->used--;
}

static int32_t big_bits(const struct big *big)
{
	if (big->used == 0)
		return 0;
	return (int32_t)(big->used * 32) - __builtin_clz(big->words[big->used - 1]);
}

/* --- Printing -------------------------------------------------------------------------------- */

/* The digits of m * 2^e, first one not zero; the number is 0.d1d2d3... * 10^point. */
static uint32_t digits_make(uint64_t mantissa, int32_t exponent, char *digits, int32_t *point)
{
	static const uint32_t billion = 1000000000;
	struct big big;
	char reversed[DIGITS_MAX];
	uint32_t count = 0;

	big_set(&big, mantissa);
	if (exponent >= 0)
		big_multiply_power(&big, 2, exponent);
	else
		big_multiply_power(&big, 5, -exponent);
	while (big.used > 0 && count + 9 <= DIGITS_MAX) {
		uint32_t nine = big_divide(&big, billion);

		for (uint32_t i = 0; i < 9; i++) {
			reversed[count++] = (char)('0' + nine % 10);
			nine /= 10;
		}
	}
	while (count > 0 && reversed[count - 1] == '0')
		count--;
	for (uint32_t i = 0; i < count; i++)
		digits[i] = reversed[count - 1 - i];
	*point = (int32_t)count + (exponent < 0 ? exponent : 0);
	return count;
}

/* Rounds to `wanted` digits, halves to even, and drops zeros at the end. */
static uint32_t digits_round(char *digits, uint32_t count, uint32_t wanted, int32_t *point)
{
	uint32_t kept = count < wanted ? count : wanted;
	bool is_up = false;

	if (count > wanted) {
		bool is_more = false;

		for (uint32_t i = wanted + 1; i < count; i++)
			is_more |= digits[i] != '0';
		is_up = digits[wanted] > '5' || (digits[wanted] == '5' &&
				(is_more || (digits[wanted - 1] & 1) != 0));
	}
	for (uint32_t i = kept; is_up && i > 0; i--) {
		is_up = digits[i - 1] == '9';
		digits[i - 1] = is_up ? '0' : (char)(digits[i - 1] + 1);
	}
	if (is_up) {
		digits[0] = '1';        /* 99..9 became 100..0; the zeros behind are there */
		(*point)++;
	}
	while (kept > 1 && digits[kept - 1] == '0')
		kept--;
	return kept;
}

static uint32_t exponent_print(char *out, int32_t exponent)
{
	uint32_t n = 0;
	uint32_t value = (uint32_t)(exponent < 0 ? -exponent : exponent);

	out[n++] = 'e';
	if (exponent < 0)
		out[n++] = '-';
	if (value >= 100)
		out[n++] = (char)('0' + value / 100);
	out[n++] = (char)('0' + value / 10 % 10);
	out[n++] = (char)('0' + value % 10);
	return n;
}

/* The layout of "%g". */
static uint32_t digits_print(char *out, const char *digits, uint32_t count, int32_t point,
		uint32_t precision)
{
	int32_t exponent = point - 1;
	uint32_t n = 0;

	if (exponent < -4 || exponent >= (int32_t)precision) {
		out[n++] = digits[0];
		if (count > 1)
			out[n++] = '.';
		for (uint32_t i = 1; i < count; i++)
			out[n++] = digits[i];
		return n + exponent_print(out + n, exponent);
	}
	if (point <= 0) {
		out[n++] = '0';
		out[n++] = '.';
		for (int32_t i = point; i < 0; i++)
			out[n++] = '0';
	}
	for (uint32_t i = 0; i < count || (int32_t)i < point; i++) {
		if (i > 0 && (int32_t)i == point)
			out[n++] = '.';
		out[n++] = i < count ? digits[i] : '0';
	}
	return n;
}

static uint32_t words_print(char *out, uint32_t n, const char *word)
{
	for (; *word != '\0'; word++)
		out[n++] = *word;
	return n;
}

/* One precision; tells whether the text means the same number again. */
static uint32_t precision_print(char *out, uint64_t mantissa, int32_t exponent, uint32_t precision,
		uint64_t magnitude, bool is_single, bool *is_exact)
{
	char digits[DIGITS_MAX];
	int32_t point;
	uint32_t count = digits_make(mantissa, exponent, digits, &point);
	uint64_t again = 0;
	uint32_t n;

	count = digits_round(digits, count, precision, &point);
	n = digits_print(out, digits, count, point, precision);
	*is_exact = number_parse_float(out, n, is_single, &again) && again == magnitude;
	return n;
}

uint32_t number_print_float(char *out, uint64_t bits, bool is_single)
{
	const struct format *f = &formats[is_single];
	uint64_t sign = UINT64_C(1) << (f->mantissa_bits + f->exponent_bits);
	uint64_t magnitude = bits & (sign - 1);
	uint64_t mantissa = magnitude & ((UINT64_C(1) << f->mantissa_bits) - 1);
	int32_t exponent = (int32_t)(magnitude >> f->mantissa_bits);
	uint32_t n = 0;
	uint32_t length = 0;
	bool is_exact;

	if (exponent == (1 << f->exponent_bits) - 1 && mantissa != 0)
		return words_print(out, n, "nan");
	if ((bits & sign) != 0)
		out[n++] = '-';
	if (exponent == (1 << f->exponent_bits) - 1)
		return words_print(out, n, "inf");
	if (magnitude == 0)
		return words_print(out, n, "0");
	if (exponent != 0)
		mantissa |= UINT64_C(1) << f->mantissa_bits;
	else
		exponent = 1;
	exponent -= f->bias + (int32_t)f->mantissa_bits;
	for (uint32_t i = 0; i < 3; i++) {
		length = precision_print(out + n, mantissa, exponent, precisions[is_single][i],
				magnitude, is_single, &is_exact);
		if (is_exact)
			break;
	}
	return n + length;
}

/* --- Parsing --------------------------------------------------------------------------------- */

struct decimal {
	struct big digits;
	int32_t exponent;       /* the number is digits * 10^exponent */
	bool is_more;           /* digits that are not zero were left out */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool exponent_read(const char *text, uint32_t bytes, int32_t *exponent)
{
	uint32_t i = 0;
	bool is_negative = false;
	int32_t value = 0;

	if (i < bytes && (text[i] == '-' || text[i] == '+'))
		is_negative = text[i++] == '-';
	if (i == bytes)
		return false;
	for (; i < bytes; i++) {
		if (!is_digit(text[i]))
			return false;
		if (value < 100000)
			value = value * 10 + (text[i] - '0');
	}
	*exponent = is_negative ? -value : value;
	return true;
}

static bool decimal_read(const char *text, uint32_t bytes, struct decimal *d)
{
	uint32_t kept = 0;
	uint32_t seen = 0;
	int32_t written = 0;
	bool has_point = false;
	uint32_t i;

	big_set(&d->digits, 0);
	d->exponent = 0;
	d->is_more = false;
	for (i = 0; i < bytes && (is_digit(text[i]) || text[i] == '.'); i++) {
		if (text[i] == '.') {
			if (has_point)
				return false;
			has_point = true;
			continue;
		}
		seen++;
		if (kept == 0 && text[i] == '0') {
			d->exponent -= has_point;
			continue;
		}
		if (kept < SIGNIFICANT) {
			if (d->digits.used == 0)
				big_set(&d->digits, (uint64_t)(text[i] - '0'));
			else
				big_multiply(&d->digits, 10, (uint32_t)(text[i] - '0'));
			kept++;
			d->exponent -= has_point;
		} else {
			d->is_more |= text[i] != '0';
			d->exponent += !has_point;
		}
	}
	if (seen == 0)
		return false;
	if (i < bytes && (text[i] == 'e' || text[i] == 'E')) {
		if (!exponent_read(text + i + 1, bytes - i - 1, &written))
			return false;
		i = bytes;
	}
	d->exponent += written;
	return i == bytes;
}

/* The top 64 bits of `numerator` / `denominator`, first bit one: the quotient is about
 * *top * 2^*scale. `*is_more` if bits below were dropped. */
static uint64_t quotient_make(struct big *numerator, struct big *denominator, int32_t *scale,
		bool *is_more)
{
	int32_t shift = big_bits(denominator) - big_bits(numerator);
	uint64_t top = 0;
	uint32_t bits = 0;

	/* Bring both to the same length, then make one bit after the other. */
	if (shift > 0)
		big_multiply_power(numerator, 2, shift);
	else
		big_multiply_power(denominator, 2, -shift);
	*scale = -shift;
	if (big_compare(numerator, denominator) < 0) {
		big_multiply(numerator, 2, 0);
		(*scale)--;
	}
	while (bits < 64) {
		top <<= 1;
		if (big_compare(numerator, denominator) >= 0) {
			big_subtract(numerator, denominator);
			top |= 1;
		}
		bits++;
		if (bits < 64)
			big_multiply(numerator, 2, 0);
	}
	*scale -= 63;
	*is_more |= numerator->used != 0;
	return top;
}

/* Rounds top * 2^scale, top's first bit one, to the format. */
static uint64_t float_round(uint64_t top, int32_t scale, bool is_more, const struct format *f)
{
	int32_t exponent = scale + 63 + f->bias;        /* biased */
	uint32_t drop = 63 - f->mantissa_bits;
	uint64_t rest;
	uint64_t half;
	uint64_t mantissa;

	if (exponent <= 0) {
		if (exponent < -(int32_t)f->mantissa_bits)
			return 0;
		drop += (uint32_t)(1 - exponent);
		exponent = 0;
	}
	if (drop > 63) {
		/* Only the smallest denormal may be meant: it is, above its half. */
		return drop == 64 && (top > UINT64_C(1) << 63 || is_more);
	}
	mantissa = top >> drop;
	rest = top & ((UINT64_C(1) << drop) - 1);
	half = UINT64_C(1) << (drop - 1);
	if (rest > half || (rest == half && (is_more || (mantissa & 1) != 0)))
		mantissa++;
	/* A carry out of the mantissa moves into the exponent by itself. */
	if (exponent > 0)
		mantissa += (uint64_t)(uint32_t)(exponent - 1) << f->mantissa_bits;
	if (mantissa >> f->mantissa_bits >= (UINT64_C(1) << f->exponent_bits) - 1)
		mantissa = ((UINT64_C(1) << f->exponent_bits) - 1) << f->mantissa_bits;
	return mantissa;
}

bool number_parse_float(const char *text, uint32_t bytes, bool is_single, uint64_t *bits)
{
	const struct format *f = &formats[is_single];
	struct big denominator;
	struct decimal d;
	int32_t scale;
	uint64_t top;

	if (!decimal_read(text, bytes, &d))
		return false;
	*bits = 0;
	if (d.digits.used == 0 || d.exponent < -EXPONENT_MAX)
		return true;
	if (d.exponent > EXPONENT_MAX) {
		*bits = ((UINT64_C(1) << f->exponent_bits) - 1) << f->mantissa_bits;
		return true;
	}
	big_set(&denominator, 1);
	if (d.exponent >= 0)
		big_multiply_power(&d.digits, 10, d.exponent);
	else
		big_multiply_power(&denominator, 10, -d.exponent);
	top = quotient_make(&d.digits, &denominator, &scale, &d.is_more);
	*bits = float_round(top, scale, d.is_more, f);
	return true;
}
