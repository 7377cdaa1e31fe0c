/* The tour: five minutes of real commands, run by the same evaluator as what a person types. */
#ifndef SERVICES_SHELL_TOUR_H
#define SERVICES_SHELL_TOUR_H

#include "services/shell/process.h"

void tour_run(struct shell_process *p);

#endif
