/*
 * The benchmark: measuring (measure.c), what is measured (rows.c), the other party (peer.c).
 *
 * It boots on one processor under icount, where a tick of the time stamp counter is one
 * instruction. No measured region leaves the processor idle, since idle time counts as ticks.
 */
#ifndef BENCH_GUEST_BENCH_H
#define BENCH_GUEST_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"

#define LIST_VALUES 120u /* 960 bytes */

struct row {
	const char *id;
	uint32_t count;              /* times a batch */
	uint32_t parts;              /* operations that one time stands for */
	bool (*run)(uint32_t count); /* false: it went wrong */
	bool no_slab;                /* a batch must not allocate in the kernel */
};

/* Two readings of the counter, with nothing between them, differ by READING_TICKS. */
uint64_t ticks_read(void);
/* Measures batches and prints the row; false if it went wrong. */
bool row_measure(const struct row *row);
/* Prints the calibration row; false if a tick is not an instruction. */
bool calibrate(void);

/* Starts the other parties and fills `rows`; answers how many, 0 if something cannot be had. */
uint32_t rows_prepare(const struct row **rows);

/* A child of the benchmark: serves, or answers signals, or yields, as its argument says. */
int peer_main(const char *role);

#endif
