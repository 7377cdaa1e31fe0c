/*
 * Key decoder: the bytes that a terminal sends become keys. A pure state machine without clock:
 * bytes go in one at a time and at most one key comes out of each.
 * Always true: every byte string is consumed; unknown sequences become TERM_KEY_UNKNOWN as a whole,
 * so a strange key never types its tail.
 */
#ifndef LIB_TERM_KEYS_H
#define LIB_TERM_KEYS_H

#include <stdbool.h>
#include <stdint.h>

enum term_key {
	TERM_KEY_NONE,
	TERM_KEY_CHARACTER,	/* `character`, printable; with `alt` where Escape came before */
	TERM_KEY_CONTROL,	/* `character` is the letter: 'A' for Ctrl-A */
	TERM_KEY_ENTER,
	TERM_KEY_TAB,
	TERM_KEY_BACKSPACE,
	TERM_KEY_DELETE,
	TERM_KEY_LEFT,		/* `word` where Ctrl or Alt was held */
	TERM_KEY_RIGHT,
	TERM_KEY_UP,
	TERM_KEY_DOWN,
	TERM_KEY_HOME,
	TERM_KEY_END,
	TERM_KEY_PAGE_UP,
	TERM_KEY_PAGE_DOWN,
	TERM_KEY_INSERT,
	TERM_KEY_ESCAPE,
	TERM_KEY_UNKNOWN,
};

struct term_key_event {
	enum term_key key;
	uint32_t character;
	bool alt;
	bool word;
};

enum term_keys_state { TERM_KEYS_GROUND, TERM_KEYS_ESCAPE, TERM_KEYS_CSI, TERM_KEYS_SS3, TERM_KEYS_UTF8 };

struct term_keys {
	enum term_keys_state state;
	uint32_t parameter[2];	/* of a CSI sequence, clamped */
	uint8_t parameter_index;
	bool after_return;	/* a line feed now belongs to the return before it */
	bool private_sequence;
	char utf8[4];
	uint8_t utf8_bytes;
	bool utf8_alt;
};

void term_keys_init(struct term_keys *k);

/* One byte from the terminal. True: *out is a key. */
bool term_keys_feed(struct term_keys *k, uint8_t byte, struct term_key_event *out);

/* Nothing more will come for a while: a lone Escape is the key. True: *out is it. */
bool term_keys_flush(struct term_keys *k, struct term_key_event *out);

#endif
