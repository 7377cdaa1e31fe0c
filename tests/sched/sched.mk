# The scheduler's queues on simulated processors; see sim.h.

FAIR_SIM           := tests/sched/fair_sim.c tests/sched/sim.c kernel/sched/balance.c kernel/core/heap.c
HOST_TESTS         += fair_sim
HOST_TEST_fair_sim := $(FAIR_SIM) kernel/sched/run_queue.c
$(HOST)/test/tests/sched/%.o: HOST_CFLAGS += -Ikernel

# The other order, for its figures: $(HOST)/bin/start_time_sim --figures
$(HOST)/bin/start_time_sim: $(FAIR_SIM) tests/sched/start_time_queue.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -Ikernel -O2 -DSIM_ORDER_ONLY -DCONFIG_DEBUG=1 $^ -lcmocka -lm -o $@
