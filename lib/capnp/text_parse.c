/*
 * Parsing Cap'n Proto text by reflection: see text.h. One pass from left to right; only the length of
 * a list and of a string is looked up ahead, because a message is built in one go.
 */
#include "capnp/number.h"
#include "capnp/text.h"

/* Fields of a struct that are watched for being given twice. */
#define SEEN_WORDS 8u

struct parser {
	const char *start;
	const char *at;
	const char *end;
	const struct capnp_names *names;
	struct capnp_parse_error *error;
	uint32_t depth;
};

/* --- Errors ---------------------------------------------------------------------------------- */

/* Appends to the message, cut where it is full. */
static void error_add(struct capnp_parse_error *error, struct capnp_text text)
{
	uint32_t used = (uint32_t)__builtin_strlen(error->message);

	for (uint32_t i = 0; i < text.bytes && used + 1 < sizeof(error->message); i++)
		error->message[used++] = text.chars[i];
	error->message[used] = '\0';
}

/* Says what is wrong with the text from `from` to `to`. Always false, to be returned. */
static bool fail(struct parser *p, const char *from, const char *to, const char *message)
{
	p->error->column = (uint32_t)(from - p->start);
	p->error->bytes = (uint32_t)(to - from);
	p->error->message[0] = '\0';
	error_add(p->error, capnp_text(message));
	return false;
}

/* As fail, with a name in the middle. */
static bool fail_name(struct parser *p, const char *from, const char *to, const char *before,
		struct capnp_text name, const char *after)
{
	fail(p, from, to, before);
	error_add(p->error, name);
	error_add(p->error, capnp_text(after));
	return false;
}

/* --- Characters ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end) {
		if (*p->at == '#') {
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		} else if (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') {
			p->at++;
		} else {
			return;
		}
	}
}

/* Takes the character if it is next. */
static bool accept(struct parser *p, char c)
{
	skip_space(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* The end of what an eye takes for one word at `at`, for errors. */
static const char *word_end(const struct parser *p, const char *at)
{
	const char *end = at;

	while (end < p->end && (is_letter(*end) || is_digit(*end) || *end == '.' || *end == '-' ||
			(end == at && *end == '@')))
		end++;
	return end == at && end < p->end ? end + 1 : end;
}

static bool fail_word(struct parser *p, const char *message)
{
	skip_space(p);
	return fail(p, p->at, word_end(p, p->at), message);
}

static struct capnp_text read_identifier(struct parser *p)
{
	const char *from;

	skip_space(p);
	from = p->at;
	if (p->at < p->end && is_letter(*p->at))
		while (p->at < p->end && (is_letter(*p->at) || is_digit(*p->at)))
			p->at++;
	return capnp_text_of(from, (uint32_t)(p->at - from));
}

/* --- Numbers --------------------------------------------------------------------------------- */

/* The digits at `at`, decimal, 0octal or 0xhex. False: not a number, or more than 64 bits. */
static bool read_magnitude(struct parser *p, uint64_t *value)
{
	const char *from = p->at;
	uint32_t base = 10;

	*value = 0;
	if (p->at < p->end && *p->at == '0') {
		base = 8;
		if (p->at + 1 < p->end && (p->at[1] == 'x' || p->at[1] == 'X')) {
			base = 16;
			p->at += 2;
			from = p->at;
		}
	}
	for (; p->at < p->end; p->at++) {
		int digit = hex_value(*p->at);
		uint64_t next;

		if (digit < 0 || (uint32_t)digit >= base)
			break;
		if (__builtin_mul_overflow(*value, (uint64_t)base, &next) ||
		    __builtin_add_overflow(next, (uint64_t)digit, value))
			return false;
	}
	if (p->at < p->end && (is_letter(*p->at) || is_digit(*p->at) || *p->at == '.'))
		return false;
	return p->at > from;
}

static bool parse_integer(struct parser *p, struct schema_type type, uint64_t *bits)
{
	enum schema_type_kind kind = schema_type_kind(type);
	bool is_signed = kind <= SCHEMA_INT64;
	uint32_t width = schema_type_bits(type);
	uint64_t max = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
	const char *from;
	bool is_negative;
	uint64_t value;

	is_negative = accept(p, '-');
	from = is_negative ? p->at - 1 : p->at;
	if (!read_magnitude(p, &value))
		return fail(p, from, word_end(p, from), p->at > from ?
				"this is not a whole number of at most 64 bits" :
				"a whole number is expected here");
	if (is_signed)
		max = (max >> 1) + is_negative;
	if (value > max || (is_negative && !is_signed && value != 0))
		return fail(p, from, p->at, is_signed ? "this number is out of the range of its type" :
				is_negative ? "this number cannot be negative" :
				"this number is too large for its type");
	*bits = is_negative ? 0 - value : value;
	return true;
}

static bool parse_float(struct parser *p, struct schema_type type, uint64_t *bits)
{
	bool is_single = schema_type_kind(type) == SCHEMA_FLOAT32;
	bool is_negative = accept(p, '-');
	const char *from = p->at;
	struct capnp_text word = read_identifier(p);
	uint64_t value;

	if (capnp_text_equals(word, "inf")) {
		*bits = is_single ? 0x7f800000 : UINT64_C(0x7ff) << 52;
	} else if (capnp_text_equals(word, "nan")) {
		*bits = is_single ? 0x7fc00000 : UINT64_C(0x7ff8) << 48;
	} else if (word.bytes == 0) {
		if (p->at + 1 < p->end && *p->at == '0' && (p->at[1] == 'x' || p->at[1] == 'X'))
			return fail(p, from, word_end(p, from), "write this number in decimal");
		while (p->at < p->end && (is_digit(*p->at) || is_letter(*p->at) || *p->at == '.' ||
				((*p->at == '-' || *p->at == '+') && p->at > from &&
				 (p->at[-1] == 'e' || p->at[-1] == 'E'))))
			p->at++;
		if (!number_parse_float(from, (uint32_t)(p->at - from), is_single, &value))
			return fail(p, from, p->at > from ? p->at : word_end(p, from),
					"a number is expected here");
		*bits = value;
	} else {
		return fail(p, word.chars, p->at, "a number is expected here");
	}
	if (is_negative)
		*bits |= is_single ? UINT64_C(1) << 31 : UINT64_C(1) << 63;
	return true;
}

static bool parse_bool(struct parser *p, uint64_t *bits)
{
	struct capnp_text word = read_identifier(p);

	*bits = capnp_text_equals(word, "true");
	if (*bits != 0 || capnp_text_equals(word, "false"))
		return true;
	p->at = word.chars;
	return fail_word(p, "true or false is expected here");
}

static bool parse_enum(struct parser *p, struct schema_type type, uint64_t *bits)
{
	struct schema_node node = schema_type_node(type);
	uint32_t count = schema_enumerant_count(node);
	struct capnp_text word = read_identifier(p);

	for (uint32_t i = 0; i < count; i++) {
		if (capnp_text_is(schema_member_name(schema_enumerant_at(node, i)), word)) {
			*bits = i;
			return true;
		}
	}
	p->at = word.chars;
	return fail_name(p, p->at, word_end(p, p->at), "a value of ", schema_node_name(node),
			" is expected here");
}

static bool parse_scalar(struct parser *p, struct schema_type type, uint64_t *bits)
{
	struct capnp_text word;

	*bits = 0;
	switch (schema_type_kind(type)) {
	case SCHEMA_VOID:
		word = read_identifier(p);
		if (capnp_text_equals(word, "void"))
			return true;
		p->at = word.chars;
		return fail_word(p, "void is expected here");
	case SCHEMA_BOOL:
		return parse_bool(p, bits);
	case SCHEMA_FLOAT32:
	case SCHEMA_FLOAT64:
		return parse_float(p, type, bits);
	case SCHEMA_ENUM_TYPE:
		return parse_enum(p, type, bits);
	default:
		return parse_integer(p, type, bits);
	}
}

/* --- Strings --------------------------------------------------------------------------------- */

static bool read_digits(struct parser *p, uint32_t base, uint32_t digits_max, char *byte)
{
	uint32_t value = 0;
	uint32_t digits = 0;

	while (digits < digits_max && p->at < p->end) {
		int digit = hex_value(*p->at);

		if (digit < 0 || (uint32_t)digit >= base)
			break;
		value = value * base + (uint32_t)digit;
		p->at++;
		digits++;
	}
	*byte = (char)value;
	return digits > 0 && value < 256;
}

/* One character behind a backslash. */
static bool read_escape(struct parser *p, char *byte)
{
	static const char letters[] = "abfnrtv'\"\\?";
	static const char plain[] = "\a\b\f\n\r\t\v'\"\\?";
	const char *from = p->at - 1;

	if (p->at == p->end)
		return fail(p, from, p->end, "the text ends inside a string");
	for (uint32_t i = 0; i < sizeof(letters) - 1; i++) {
		if (letters[i] == *p->at) {
			p->at++;
			*byte = plain[i];
			return true;
		}
	}
	if (*p->at == 'x') {
		p->at++;
		if (read_digits(p, 16, 2, byte))
			return true;
	} else if (read_digits(p, 8, 3, byte)) {
		return true;
	}
	return fail(p, from, p->at < p->end ? p->at + 1 : p->at, "there is no such escape");
}

/* Reads one quoted string; `out` NULL only counts. */
static bool read_quoted(struct parser *p, char *out, uint32_t *bytes)
{
	const char *from = p->at;

	p->at++;
	while (p->at < p->end && *p->at != '"') {
		char byte = *p->at++;

		if (byte == '\n')
			return fail(p, from, p->at - 1, "the line ends inside a string");
		if (byte == '\\' && !read_escape(p, &byte))
			return false;
		if (out != NULL)
			out[*bytes] = byte;
		(*bytes)++;
	}
	if (p->at == p->end)
		return fail(p, from, p->end, "the closing quote is missing");
	p->at++;
	return true;
}

/* Strings that stand side by side are one. */
static bool read_strings(struct parser *p, char *out, uint32_t *bytes)
{
	*bytes = 0;
	do {
		if (!read_quoted(p, out, bytes))
			return false;
		skip_space(p);
	} while (p->at < p->end && *p->at == '"');
	return true;
}

/* 0x"00 ff" */
static bool read_hex(struct parser *p, uint8_t *out, uint32_t *count)
{
	const char *from = p->at;

	*count = 0;
	p->at += 3;
	while (p->at < p->end && *p->at != '"') {
		int high = hex_value(*p->at);
		int low = p->at + 1 < p->end ? hex_value(p->at[1]) : -1;

		if (*p->at == ' ' || *p->at == '\t') {
			p->at++;
			continue;
		}
		if (high < 0 || low < 0)
			return fail(p, p->at, p->at + 1, "two hexadecimal digits are expected here");
		if (out != NULL)
			out[*count] = (uint8_t)(high << 4 | low);
		(*count)++;
		p->at += 2;
	}
	if (p->at == p->end)
		return fail(p, from, p->end, "the closing quote is missing");
	p->at++;
	return true;
}

static bool parse_text(struct parser *p, struct capnp_any_builder to)
{
	const char *from;
	uint32_t bytes;
	char *out;

	skip_space(p);
	from = p->at;
	if (p->at == p->end || *p->at != '"')
		return fail_word(p, "a text in quotes is expected here");
	if (!read_strings(p, NULL, &bytes))
		return false;
	out = capnp_init_text(to, bytes);
	if (out == NULL)
		return true;
	p->at = from;
	return read_strings(p, out, &bytes);
}

static bool parse_data(struct parser *p, struct capnp_any_builder to)
{
	const char *from;
	uint32_t count;
	uint8_t *out;
	bool is_hex;

	skip_space(p);
	from = p->at;
	is_hex = p->end - p->at > 2 && p->at[0] == '0' && p->at[1] == 'x' && p->at[2] == '"';
	if (!is_hex && (p->at == p->end || *p->at != '"'))
		return fail_word(p, "data as \"text\" or 0x\"00 ff\" is expected here");
	if (!(is_hex ? read_hex(p, NULL, &count) : read_strings(p, NULL, &count)))
		return false;
	out = capnp_init_data(to, count);
	if (out == NULL)
		return true;
	p->at = from;
	return is_hex ? read_hex(p, out, &count) : read_strings(p, (char *)out, &count);
}

/* --- Capabilities ---------------------------------------------------------------------------- */

static bool parse_cap(struct parser *p, struct schema_type type, struct capnp_any_builder to)
{
	uint64_t interface_id = schema_type_kind(type) == SCHEMA_INTERFACE_TYPE ? schema_type_id(type) :
		0;
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct capnp_text name;
	const char *from;

	if (!accept(p, '@'))
		return fail_word(p, "a capability (@name) is expected here");
	from = p->at;
	while (p->at < p->end && (is_letter(*p->at) || is_digit(*p->at) || *p->at == '-'))
		p->at++;
	name = capnp_text_of(from, (uint32_t)(p->at - from));
	if (name.bytes == 0)
		return fail(p, from - 1, p->at, "a name is expected behind @");
	if (p->names == NULL || p->names->cap_of == NULL)
		return fail(p, from - 1, p->at, "capabilities cannot be named here");
	switch (p->names->cap_of(p->names->arg, name, interface_id, to.message, &cap)) {
	case CAPNP_NAME_FOUND:
		capnp_set_cap(to, cap);
		return true;
	case CAPNP_NAME_WRONG_TYPE:
		return fail_name(p, from - 1, p->at, "this capability is not a ",
				schema_node_name(schema_type_node(type)), "");
	case CAPNP_NAME_UNKNOWN:
		break;
	}
	return fail_name(p, from - 1, p->at, "there is no capability @", name, "");
}

/* --- Lists and structs ----------------------------------------------------------------------- */

static bool parse_pointer(struct parser *p, struct schema_type type, struct capnp_any_builder to);
static bool parse_fields(struct parser *p, struct schema_node node, struct capnp_struct_builder to);

/* How many elements the list at `at` (behind its bracket) has. Only nesting is looked at; whatever
 * else is wrong is found when the elements are parsed. */
static uint32_t count_elements(const struct parser *p)
{
	struct parser scan = *p;
	uint32_t nesting = 0;
	uint32_t count = 0;
	bool is_started = false;

	for (;;) {
		char c;

		skip_space(&scan);
		if (scan.at == scan.end)
			return count + is_started;
		c = *scan.at;
		if (c == '"') {
			do {
				scan.at += *scan.at == '\\' && scan.at + 1 < scan.end ? 2 : 1;
			} while (scan.at < scan.end && *scan.at != '"');
			if (scan.at == scan.end)
				return count + 1;
			is_started = true;
		} else if (c == '(' || c == '[') {
			nesting++;
			is_started = true;
		} else if (c == ')' || c == ']') {
			if (nesting == 0)
				return count + is_started;
			nesting--;
		} else if (c == ',' && nesting == 0) {
			count++;
			is_started = false;
		} else {
			is_started = true;
		}
		scan.at++;
	}
}

static void list_set(struct capnp_list_builder list, uint32_t index, uint64_t bits)
{
	switch (list.size) {
	case CAPNP_BIT:
		capnp_list_set_bool(list, index, bits != 0);
		break;
	case CAPNP_BYTE:
		capnp_list_set_u8(list, index, (uint8_t)bits);
		break;
	case CAPNP_TWO_BYTES:
		capnp_list_set_u16(list, index, (uint16_t)bits);
		break;
	case CAPNP_FOUR_BYTES:
		capnp_list_set_u32(list, index, (uint32_t)bits);
		break;
	case CAPNP_EIGHT_BYTES:
		capnp_list_set_u64(list, index, bits);
		break;
	default:
		break;
	}
}

static bool parse_element(struct parser *p, struct schema_type type, struct capnp_list_builder list,
		uint32_t index)
{
	uint64_t bits;

	if (schema_type_kind(type) == SCHEMA_STRUCT_TYPE)
		return parse_fields(p, schema_type_node(type), capnp_list_struct_builder(list, index));
	if (schema_type_is_pointer(type))
		return parse_pointer(p, type, capnp_list_pointer_builder(list, index));
	if (!parse_scalar(p, type, &bits))
		return false;
	list_set(list, index, bits);
	return true;
}

static bool parse_list(struct parser *p, struct schema_type type, struct capnp_any_builder to)
{
	struct schema_type element = schema_type_element(type);
	struct capnp_list_builder list;
	uint32_t count;

	if (!accept(p, '['))
		return fail_word(p, "a list in [ ] is expected here");
	if (p->depth == 0)
		return fail_word(p, "this is nested too deeply");
	count = count_elements(p);
	if (schema_type_kind(element) == SCHEMA_STRUCT_TYPE) {
		struct schema_node node = schema_type_node(element);

		list = capnp_init_struct_list(to, count, schema_struct_data_words(node),
				schema_struct_pointer_count(node));
	} else {
		list = capnp_init_list(to, schema_type_size(element), count);
	}
	p->depth--;
	for (uint32_t i = 0; i < count; i++) {
		if (!parse_element(p, element, list, i))
			return false;
		if (!accept(p, ','))
			break;
	}
	p->depth++;
	if (!accept(p, ']'))
		return fail_word(p, "a comma or ] is expected here");
	return true;
}

static bool parse_pointer(struct parser *p, struct schema_type type, struct capnp_any_builder to)
{
	struct schema_node node;

	switch (schema_type_kind(type)) {
	case SCHEMA_TEXT:
		return parse_text(p, to);
	case SCHEMA_DATA:
		return parse_data(p, to);
	case SCHEMA_LIST:
		return parse_list(p, type, to);
	case SCHEMA_STRUCT_TYPE:
		node = schema_type_node(type);
		return parse_fields(p, node, capnp_init_struct(to, schema_struct_data_words(node),
				schema_struct_pointer_count(node)));
	default:
		return parse_cap(p, type, to);
	}
}

static void struct_set(struct capnp_struct_builder to, struct schema_member field, uint64_t bits)
{
	uint32_t offset = schema_field_offset(field);

	bits ^= schema_value_bits(schema_field_default(field));
	switch (schema_type_bits(schema_field_type(field))) {
	case 1:
		capnp_set_bool(to, offset, (bits & 1) != 0);
		break;
	case 8:
		capnp_set_u8(to, offset, (uint8_t)bits);
		break;
	case 16:
		capnp_set_u16(to, offset * 2, (uint16_t)bits);
		break;
	case 32:
		capnp_set_u32(to, offset * 4, (uint32_t)bits);
		break;
	case 64:
		capnp_set_u64(to, offset * 8, bits);
		break;
	default:
		break;
	}
}

static bool parse_field(struct parser *p, struct schema_node node, struct schema_member field,
		struct capnp_struct_builder to)
{
	uint32_t tag = schema_field_discriminant(field);
	struct schema_type type;
	uint64_t bits;

	if (tag != SCHEMA_NO_DISCRIMINANT)
		capnp_set_u16(to, schema_struct_discriminant_offset(node) * 2, (uint16_t)tag);
	if (schema_field_is_group(field))
		return parse_fields(p, schema_field_group(field), to);
	type = schema_field_type(field);
	if (schema_type_is_pointer(type))
		return parse_pointer(p, type, capnp_pointer_builder(to, schema_field_offset(field)));
	if (!parse_scalar(p, type, &bits))
		return false;
	struct_set(to, field, bits);
	return true;
}

/* Refuses a field given twice, and a second member of the same union. */
static bool check_seen(struct parser *p, struct schema_member field, struct capnp_text name,
		uint64_t *seen, bool *has_member)
{
	uint32_t word = field.index / 64;
	uint64_t bit = UINT64_C(1) << (field.index % 64);
	const char *end = name.chars + name.bytes;

	if (word < SEEN_WORDS && (seen[word] & bit) != 0)
		return fail_name(p, name.chars, end, "the field ", name, " is given twice");
	if (word < SEEN_WORDS)
		seen[word] |= bit;
	if (schema_field_discriminant(field) == SCHEMA_NO_DISCRIMINANT)
		return true;
	if (*has_member)
		return fail_name(p, name.chars, end, "only one of the alternatives can be given, not ",
				name, " too");
	*has_member = true;
	return true;
}

static bool parse_named_field(struct parser *p, struct schema_node node,
		struct capnp_struct_builder to, uint64_t *seen, bool *has_member)
{
	struct capnp_text name = read_identifier(p);
	struct schema_member field;

	if (name.bytes == 0)
		return fail_word(p, "the name of a field is expected here");
	if (!schema_field_find(node, name, &field))
		return fail_name(p, name.chars, p->at, "there is no field ", name, " here");
	if (!check_seen(p, field, name, seen, has_member))
		return false;
	if (!accept(p, '='))
		return fail_word(p, "= is expected here");
	return parse_field(p, node, field, to);
}

static bool parse_fields(struct parser *p, struct schema_node node, struct capnp_struct_builder to)
{
	uint64_t seen[SEEN_WORDS] = { 0 };
	bool has_member = false;

	if (!accept(p, '('))
		return fail_word(p, "( is expected here");
	if (p->depth == 0)
		return fail_word(p, "this is nested too deeply");
	p->depth--;
	while (!accept(p, ')')) {
		if (!parse_named_field(p, node, to, seen, &has_member))
			return false;
		if (accept(p, ','))
			continue;
		if (!accept(p, ')'))
			return fail_word(p, "a comma or ) is expected here");
		break;
	}
	p->depth++;
	return true;
}

bool capnp_parse_struct(struct capnp_text text, struct schema_node type,
		struct capnp_struct_builder to, const struct capnp_names *names, uint32_t *end,
		struct capnp_parse_error *error)
{
	struct parser p = { .start = text.chars, .at = text.chars, .end = text.chars + text.bytes,
		.names = names, .error = error, .depth = CAPNP_DEPTH_MAX };

	if (!parse_fields(&p, type, to))
		return false;
	if (to.message->status != CAPNP_OK)
		return fail(&p, p.start, p.at, "this is more than a message can hold");
	if (end == NULL) {
		skip_space(&p);
		if (p.at != p.end)
			return fail(&p, p.at, p.end, "nothing more is expected here");
	} else {
		*end = (uint32_t)(p.at - p.start);
	}
	return true;
}
