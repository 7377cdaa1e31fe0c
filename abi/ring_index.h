/*
 * The arithmetic of ring indices and spans, for both sides of a ring: kernel/ring and lib/rt.
 *
 * Indices run freely modulo 2^32; entry n stands at place n modulo the queue's size. An index that the other side
 * wrote is a claim: what is believed of it is decided here and nowhere else. Pure functions, proved as they stand
 * (docs/proofs.md); the contracts in ACSL say the same as the sentences.
 */
#ifndef ABI_RING_INDEX_H
#define ABI_RING_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/*@ logic integer distance(integer from, integer to) = (uint32_t)(to - from); */

/* How many entries lie between the index of who takes and that of who puts. */
/*@ assigns \nothing;
  @ ensures exact: \result == distance(head, tail);
 */
static inline uint32_t ring_index_count(uint32_t head, uint32_t tail)
{
	return tail - head;
}

/* Where entry `index` stands in a queue of `size` entries. */
/*@ requires size > 0;
  @ assigns \nothing;
  @ ensures inside: \result < size;
  @ ensures place: \result == index % size;
 */
static inline uint32_t ring_index_place(uint32_t index, uint32_t size)
{
	return index % size;
}

/* How many entries the other side has put, of which at most `size` can be true: more counts as a full queue. */
/*@ assigns \nothing;
  @ ensures clamped: \result <= size;
  @ ensures honest: distance(head, tail) <= size ==> \result == distance(head, tail);
 */
static inline uint32_t ring_index_put(uint32_t head, uint32_t tail, uint32_t size)
{
	uint32_t count = ring_index_count(head, tail);

	return count > size ? size : count;
}

/*
 * The index up to which the other side is believed to have read what was put up to `tail`: what it claims, unless
 * that goes back behind `seen`, which was believed before, or overtakes `tail`. So what is unread only becomes less.
 */
/*@ assigns \nothing;
  @ ensures less: distance(\result, tail) <= distance(seen, tail);
  @ ensures honest: distance(claimed, tail) <= distance(seen, tail) ==> \result == claimed;
  @ ensures dishonest: distance(claimed, tail) > distance(seen, tail) ==> \result == seen;
 */
static inline uint32_t ring_index_read(uint32_t seen, uint32_t claimed, uint32_t tail)
{
	return ring_index_count(claimed, tail) > ring_index_count(seen, tail) ? seen : claimed;
}

/* Whether one entry more may be accepted, so that every completion has a place among `size`. */
/*@ requires room: in_flight + distance(seen, tail) <= size <= 65536;
  @ assigns \nothing;
  @ ensures credit: \result == true ==> in_flight + 1 + distance(seen, tail) <= size;
  @ ensures no_credit: \result == false ==> in_flight + distance(seen, tail) == size;
 */
static inline bool ring_index_has_credit(uint32_t in_flight, uint32_t seen, uint32_t tail, uint32_t size)
{
	return in_flight + ring_index_count(seen, tail) < size;
}

/* Whether a message or list of `words` words may stand at word `off`: inside [start, end), or empty at 0. */
/*@ assigns \nothing;
  @ ensures inside: \result == true && words > 0 ==> start <= off && off + words <= end;
  @ ensures empty: \result == true && words == 0 ==> off == 0;
  @ ensures complete: words > 0 && start <= off && off + words <= end ==> \result == true;
 */
static inline bool ring_span_inside(uint32_t off, uint32_t words, uint32_t start, uint32_t end)
{
	if (words == 0)
		return off == 0;
	return off >= start && off < end && words <= end - off;
}

#endif
