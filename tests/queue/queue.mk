# Shared buffers and queues of events between processes.

GEN_SCHEMAS   += tests/queue/queue_peer.capnp
TEST_PROGRAMS += test-queue test-queue-peer
$(eval $(call program,test-queue,tests/queue/main.c tests/guest/tap.c tests/guest/world.c programs/bulk/receive.c $(LIB_QUEUE_SRCS)))
$(eval $(call program,test-queue-peer,tests/queue/peer.c $(LIB_QUEUE_SRCS)))

GUEST_TESTS += queue:test-queue
