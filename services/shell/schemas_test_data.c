/* The compiled schemas of this build, for tests on the host. */
#include "services/shell/schemas_test_data.h"

__asm__(".section .rodata\n"
	".balign 8\n"
	".global test_schemas_start\n"
	"test_schemas_start:\n"
	".incbin \"schemas.bin\"\n"
	".balign 8\n"
	".global test_schemas_end\n"
	"test_schemas_end:\n"
	".text\n");
