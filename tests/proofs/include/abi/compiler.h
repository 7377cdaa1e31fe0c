/*
 * What a proof reads instead of abi/compiler.h: the same vocabulary without attributes, with atomics as plain loads and
 * stores. Each function is proved as it runs alone; that it does is what its lock is for.
 */
#ifndef ABI_COMPILER_H
#define ABI_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATIC_ASSERT(cond)
#define ARRAY_LEN(a)         (sizeof(a) / sizeof((a)[0]))
#define NORETURN
#define COLD
#define NO_BUFFER
#define HOT_INLINE
#define likely(x)            (x)
#define unlikely(x)          (x)
#define MIN(a, b)            ((a) < (b) ? (a) : (b))
#define MAX(a, b)            ((a) > (b) ? (a) : (b))
#define READ_ONCE(x)         (x)
#define WRITE_ONCE(x, v)     ((x) = (v))
#define LOAD_ACQUIRE(p)      (*(p))
#define STORE_RELEASE(p, v)  (*(p) = (v))
#define __atomic_load_n(p, order)         (*(p))
#define __atomic_store_n(p, v, order)     (*(p) = (v))
#define __atomic_fetch_add(p, v, order)   ((*(p) += (v)) - (v))
#define __atomic_sub_fetch(p, v, order)   (*(p) -= (v))
#define REQUIRES(...)
#define ACQUIRES(...)
#define RELEASES(...)
#define EXCLUDES(...)
#define CAPABILITY(name)
#define NO_LOCK_ANALYSIS

#endif
