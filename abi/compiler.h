/*
 * Compiler vocabulary shared by kernel, libraries and programs: attributes, small macros, atomics
 * with their ordering in the name, and clang's lock annotations. No code, no dependencies.
 */
#ifndef ABI_COMPILER_H
#define ABI_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATIC_ASSERT(cond)  _Static_assert(cond, #cond)
#define ARRAY_LEN(a)         (sizeof(a) / sizeof((a)[0]))
#define NORETURN             __attribute__((noreturn))
#define COLD                 __attribute__((noinline, cold))
/* The same for a function that a straight way asks in passing: it keeps all of its caller's
 * registers. It must not return a value, whose register clang 14 would keep as well. */
#define RARE                 __attribute__((noinline, cold, preserve_most))
#define NOINLINE             __attribute__((noinline))
#define PRINTF_LIKE(f, a)    __attribute__((format(printf, f, a)))
/* A function on a hot path whose frame has no buffer, only scalars whose address is taken: a canary
 * would protect nothing there. */
#define NO_BUFFER            __attribute__((no_stack_protector))
/* A stage of the call path: copied into its caller, from another file too where whole programs are
 * linked at once (release). Only for functions with one or two callers. */
#define HOT_INLINE           __attribute__((always_inline))
/* The pointer as a value of its own: what is reached through it is not addressed anew from where it came from. */
#define OPAQUE(pointer)      __asm__("" : "+r"(pointer))
#define likely(x)            __builtin_expect(!!(x), 1)
#define unlikely(x)          __builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define CACHE_LINE_BYTES     64
#define MIN(a, b)            ((a) < (b) ? (a) : (b))
#define MAX(a, b)            ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a)       (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a)     ((x) & ~((__typeof__(x))(a) - 1))

/* One load or store of a value that another party may change. */
#define READ_ONCE(x)         (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)     (*(volatile __typeof__(x) *)&(x) = (v))
#define LOAD_ACQUIRE(p)      __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(p, v)  __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/* Lock contracts, checked by clang's -Wthread-safety. */
#if defined(__clang__)
#define CAPABILITY(name)     __attribute__((capability(name)))
#define REQUIRES(...)        __attribute__((requires_capability(__VA_ARGS__)))
#define ACQUIRES(...)        __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASES(...)        __attribute__((release_capability(__VA_ARGS__)))
#define EXCLUDES(...)        __attribute__((locks_excluded(__VA_ARGS__)))
#define NO_LOCK_ANALYSIS     __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(name)
#define REQUIRES(...)
#define ACQUIRES(...)
#define RELEASES(...)
#define EXCLUDES(...)
#define NO_LOCK_ANALYSIS
#endif

#endif
