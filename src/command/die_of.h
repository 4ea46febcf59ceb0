/* How a command at a terminal ends by a signal that it has caught. */
#ifndef SIDETAIL_COMMAND_DIE_OF_H
#define SIDETAIL_COMMAND_DIE_OF_H

/* Ends as the signal would have ended it, so that a shell knows (130 for Ctrl-C). As PID 1 of a container the
 * kernel withholds such a signal: then the number that is returned says it. */
int die_of(int signal_number);

#endif
