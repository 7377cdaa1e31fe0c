# Queues in shared memory: descriptors, events, buffers. queue.c, events.c and buffer.c need nothing but memset; window.c needs the
# runtime.
LIB_QUEUE_PURE := lib/queue/queue.c lib/queue/events.c lib/queue/buffer.c
LIB_QUEUE_SRCS := $(LIB_QUEUE_PURE) lib/queue/window.c

# For programs outside the tree.
$(B)/libqueue.a: $(LIB_QUEUE_SRCS:%.c=$(B)/user/%.o)
	rm -f $@ && $(AR) rcsD $@ $^

HOST_TESTS         += queue buffer $(HOST)/thread/bin/queue-threads
HOST_TEST_queue    := lib/queue/queue_test.c lib/queue/queue.c lib/queue/events.c
HOST_TEST_buffer   := lib/queue/buffer_test.c $(LIB_QUEUE_PURE)

# Two threads, under ThreadSanitizer, which excludes the others.
$(HOST)/thread/%.o: %.c | gen
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fsanitize=thread -MMD -MP -c $< -o $@
$(HOST)/thread/bin/queue-threads: $(patsubst %.c,$(HOST)/thread/%.o,lib/queue/queue_threads_test.c lib/queue/queue.c lib/queue/events.c)
	@mkdir -p $(@D)
	$(CC) -fsanitize=thread $^ -lcmocka -lpthread -o $@

FUZZ_TARGETS += queue
FUZZ_queue   := tests/fuzz/queue_fuzz.c $(LIB_QUEUE_PURE)
