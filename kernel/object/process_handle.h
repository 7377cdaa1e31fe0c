/*
 * ProcessHandle and ProcessObserver: the process as a kernel object.
 */
#ifndef KERNEL_OBJECT_PROCESS_HANDLE_H
#define KERNEL_OBJECT_PROCESS_HANDLE_H

#include "kernel/object/process.h"

struct question;

/* Answers a question that waited for the end (a call of wait(), or a death wait). */
void process_answer_waiter(struct process *process, struct question *question);

#endif
