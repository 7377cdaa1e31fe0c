/*
 * The proof of abi/ring_index.h: a header of pure functions with contracts, and nothing else.
 */
#include "abi/ring_index.h"
