# Programs: what a person starts. Each directory's sources are listed here.

# --- hello: one line on the console it was given ---

PROGRAMS += hello
$(eval $(call program,hello,programs/hello/main.c))

# --- counter: a service with its client ---

PROGRAMS += counter counter-service
$(eval $(call program,counter,programs/counter/main.c))
$(eval $(call program,counter-service,programs/counter/service.c))

# --- bank: authority narrowed, handed out and taken back ---

PROGRAMS += bank
$(eval $(call program,bank,programs/bank/main.c))

# --- bulk: bytes by the gibibyte without copying ---

PROGRAMS += bulk bulk-service
$(eval $(call program,bulk,programs/bulk/main.c programs/bulk/receive.c $(LIB_QUEUE_SRCS)))
$(eval $(call program,bulk-service,programs/bulk/service.c $(LIB_QUEUE_SRCS)))
