/*
 * Key decoder; see keys.h. Sequences are those of ECMA-48 5.4 (CSI parameters final) as xterm, the
 * Linux console, QEMU's terminals and VT220 keypads send them.
 */
#include "term/keys.h"

#include "abi/compiler.h"
#include "term/utf8.h"

#define ESC 0x1B
#define PARAMETER_MAX 9999u

void term_keys_init(struct term_keys *k)
{
	*k = (struct term_keys){ .state = TERM_KEYS_GROUND };
}

static bool key(struct term_key_event *out, enum term_key which)
{
	*out = (struct term_key_event){ .key = which };
	return true;
}

static bool character(struct term_key_event *out, uint32_t c, bool alt)
{
	*out = (struct term_key_event){ .key = TERM_KEY_CHARACTER, .character = c, .alt = alt };
	return true;
}

static bool ground(struct term_keys *k, uint8_t byte, struct term_key_event *out)
{
	bool after_return = k->after_return;

	k->after_return = byte == '\r';
	switch (byte) {
	case ESC:
		k->state = TERM_KEYS_ESCAPE;
		return false;
	case '\n':
		return after_return ? false : key(out, TERM_KEY_ENTER);
	case '\r':
		return key(out, TERM_KEY_ENTER);
	case '\t':
		return key(out, TERM_KEY_TAB);
	case '\b':
	case 0x7F:
		return key(out, TERM_KEY_BACKSPACE);
	default:
		break;
	}
	if (byte < 0x20) {
		*out = (struct term_key_event){ .key = TERM_KEY_CONTROL, .character = byte | 0x40u };
		return true;
	}
	if (byte < 0x80)
		return character(out, byte, false);
	k->utf8[0] = (char)byte;
	k->utf8_bytes = 1;
	k->utf8_alt = false;
	if (utf8_length(byte) == 1)
		return character(out, UTF8_REPLACEMENT, false);
	k->state = TERM_KEYS_UTF8;
	return false;
}

static bool utf8(struct term_keys *k, uint8_t byte, struct term_key_event *out)
{
	uint32_t used;

	if ((byte & 0xC0) != 0x80) {
		/* The character was cut off; what cut it off counts for itself. */
		k->state = TERM_KEYS_GROUND;
		return ground(k, byte, out);
	}
	k->utf8[k->utf8_bytes++] = (char)byte;
	if (k->utf8_bytes < utf8_length((uint8_t)k->utf8[0]))
		return false;
	k->state = TERM_KEYS_GROUND;
	return character(out, utf8_decode(k->utf8, k->utf8_bytes, &used), k->utf8_alt);
}

static bool escape(struct term_keys *k, uint8_t byte, struct term_key_event *out)
{
	k->state = TERM_KEYS_GROUND;
	switch (byte) {
	case '[':
		k->state = TERM_KEYS_CSI;
		k->parameter[0] = 0;
		k->parameter[1] = 0;
		k->parameter_index = 0;
		k->private_sequence = false;
		return false;
	case 'O':
		k->state = TERM_KEYS_SS3;
		return false;
	case ESC:
		k->state = TERM_KEYS_ESCAPE;
		return key(out, TERM_KEY_ESCAPE);
	case 0x7F:
	case '\b':
		key(out, TERM_KEY_BACKSPACE);
		out->word = true;
		return true;
	default:
		break;
	}
	if (byte < 0x20 || byte >= 0x80)
		return ground(k, byte, out);
	return character(out, byte, true);
}

/* The keys whose sequence ends in a letter, with and without CSI parameters. */
static enum term_key letter_key(uint8_t final)
{
	switch (final) {
	case 'A': return TERM_KEY_UP;
	case 'B': return TERM_KEY_DOWN;
	case 'C': return TERM_KEY_RIGHT;
	case 'D': return TERM_KEY_LEFT;
	case 'H': return TERM_KEY_HOME;
	case 'F': return TERM_KEY_END;
	case 'M': return TERM_KEY_ENTER;	/* the keypad's, after SS3 */
	default: return TERM_KEY_UNKNOWN;
	}
}

/* The keys whose sequence is a number and a tilde. */
static enum term_key number_key(uint32_t number)
{
	switch (number) {
	case 1: case 7: return TERM_KEY_HOME;
	case 2: return TERM_KEY_INSERT;
	case 3: return TERM_KEY_DELETE;
	case 4: case 8: return TERM_KEY_END;
	case 5: return TERM_KEY_PAGE_UP;
	case 6: return TERM_KEY_PAGE_DOWN;
	default: return TERM_KEY_UNKNOWN;	/* function keys, and the brackets around a paste */
	}
}

static bool csi(struct term_keys *k, uint8_t byte, struct term_key_event *out)
{
	if (byte >= '0' && byte <= '9') {
		uint32_t *p = &k->parameter[MIN(k->parameter_index, 1)];

		*p = MIN(*p * 10 + (byte - '0'), PARAMETER_MAX);
		return false;
	}
	if (byte == ';' || byte == ':') {
		k->parameter_index = (uint8_t)MIN(k->parameter_index + 1, 2);
		return false;
	}
	if (byte >= 0x20 && byte < 0x40) {
		k->private_sequence = true;
		return false;
	}
	k->state = TERM_KEYS_GROUND;
	if (byte < 0x20 || byte >= 0x7F)
		return ground(k, byte, out);
	if (k->private_sequence || byte == 'M')
		return key(out, TERM_KEY_UNKNOWN);
	key(out, byte == '~' ? number_key(k->parameter[0]) : letter_key(byte));
	out->word = k->parameter[1] >= 3;	/* 1 plus Shift 1, Alt 2, Ctrl 4 */
	return true;
}

bool term_keys_feed(struct term_keys *k, uint8_t byte, struct term_key_event *out)
{
	switch (k->state) {
	case TERM_KEYS_GROUND:
		return ground(k, byte, out);
	case TERM_KEYS_UTF8:
		return utf8(k, byte, out);
	case TERM_KEYS_ESCAPE:
		return escape(k, byte, out);
	case TERM_KEYS_CSI:
		return csi(k, byte, out);
	case TERM_KEYS_SS3:
		k->state = TERM_KEYS_GROUND;
		if (byte < 0x20 || byte >= 0x7F)
			return ground(k, byte, out);
		return key(out, letter_key(byte));
	}
	return false;
}

bool term_keys_flush(struct term_keys *k, struct term_key_event *out)
{
	if (k->state != TERM_KEYS_ESCAPE)
		return false;
	k->state = TERM_KEYS_GROUND;
	return key(out, TERM_KEY_ESCAPE);
}
