/*
 * The work on the host itself: how much faster two threads do it than one, as a number with two decimals. A host that is
 * busy with other things does not come near 2, and then nothing that is emulated on it can be believed.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "work.h"

static uint64_t *words;
static uint32_t workers;
static uint64_t sums[WORK_WORKERS_MAX];

static void *work(void *argument)
{
	uint32_t index = (uint32_t)(uintptr_t)argument;

	sums[index] = work_part(words, index, workers, WORK_ROUNDS);
	return NULL;
}

static double seconds_by(uint32_t count)
{
	pthread_t threads[WORK_WORKERS_MAX];
	struct timespec before, after;

	workers = count;
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (uintptr_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
			exit(1);
	}
	for (uint32_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

static int larger(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	double speedup[3];

	words = aligned_alloc(4096, WORK_BYTES);
	if (words == NULL)
		return 1;
	work_fill(words);
	(void)seconds_by(1);
	for (int i = 0; i < 3; i++) {
		double one = seconds_by(1);

		speedup[i] = one / seconds_by(2);
	}
	qsort(speedup, 3, sizeof(speedup[0]), larger);
	printf("%.2f\n", speedup[1]);
	return sums[0] == 0;
}
