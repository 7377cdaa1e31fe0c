/*
 * A transport over two byte queues, for tests: what a connection would carry, without a connection. The
 * far end hosts workers (worker.h).
 */
#ifndef TESTS_CAPNP_STREAM_TRANSPORT_H
#define TESTS_CAPNP_STREAM_TRANSPORT_H

#include "tests/capnp/worker.h"

/* Connects afresh; the far end has one worker, named "root". */
struct worker_ref stream_connect(void);
/* Capabilities that the near end holds, and questions that are not done. */
uint32_t stream_held(void);
uint32_t stream_questions(void);

#endif
