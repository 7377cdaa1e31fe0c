/*
 * The benchmark program: first process of the package `bench`, or one of its other parties. Prints
 * one line a row on the kernel's console and powers off, with status 0 if every row was measured
 * (bench/README.md).
 */
#include "bench/guest/bench.h"
#include "capos/kernel.client.h"
#include "rt/program.h"

int main(int argc, char **argv)
{
	struct system_control_ref system = RT_GRANT(system_control, "system");
	const struct row *rows;
	uint32_t count, failed = 0;

	if (client_ref_is_null(system.ref))
		return peer_main(argc > 1 ? argv[1] : "");
	count = rows_prepare(&rows);
	if (count == 0 || !calibrate())
		failed++;
	for (uint32_t i = 0; i < count; i++) {
		if (!row_measure(&rows[i])) {
			rt_print("bench: %s failed", rows[i].id);
			failed++;
		}
	}
	(void)!system_control_power_off(system, failed ? 1 : 0);
	return 1;
}
