# Drivers: processes that hold a device. Each directory's sources are listed here.

UART16550 := drivers/serial/uart16550/main.c drivers/serial/uart16550/device.c

$(eval $(call program,uart16550,$(UART16550)))
PROGRAMS += uart16550

HOST_TESTS += uart16550
HOST_TEST_uart16550 := $(addprefix drivers/serial/uart16550/,device_test.c device.c) lib/capnp/capnp.c
