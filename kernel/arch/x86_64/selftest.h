/*
 * What both halves of the port's self test know: where its pages are and the numbers of its steps.
 */
#ifndef KERNEL_ARCH_X86_64_SELFTEST_H
#define KERNEL_ARCH_X86_64_SELFTEST_H

#define SELFTEST_CODE   0x400000
#define SELFTEST_DATA   0x500000
#define SELFTEST_HIDDEN 0x501000
#define SELFTEST_LAZY   0x600000

#define STEP_START        1
#define STEP_RESULT       2
#define STEP_REGISTERS    3
#define STEP_FAULT_SERVED 4
#define STEP_WRITE_CODE   5
#define STEP_EXECUTE_DATA 6
#define STEP_READ_KERNEL  7
#define STEP_CALL_GATE    8
#define STEP_INVALID      9
#define STEP_HIDDEN       10
#define STEP_TIMER_START  11
#define STEP_SECOND       12
#define STEP_PREEMPTED    13
#define STEP_COST         14
#define STEP_COST_KNOWN   15
#define STEP_END          16

#endif
