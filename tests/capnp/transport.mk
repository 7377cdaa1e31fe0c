# Typed clients over the ring, in a guest: the counterpart of the host test capnp_client.

$(eval $(call program,transport-test,$(addprefix tests/capnp/,ring_test.c ring_worker.c worker.c client_cases.c) \
	gen/tests/capnp/all.capnp.c))
TEST_PROGRAMS += transport-test
GUEST_TESTS   += transport:test-transport
