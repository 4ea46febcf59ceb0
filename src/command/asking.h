/* The arguments of the commands that ask a running collector: [-c FILE] [one flag] [ADDRESS:PORT]. */
#ifndef SIDETAIL_COMMAND_ASKING_H
#define SIDETAIL_COMMAND_ASKING_H

#include <stdbool.h>

#include "config/config.h"

struct asking {
    const char *listen; /* whom to ask; borrowed from the arguments, or from `cfg` */
    bool flag;
    struct config *cfg; /* owned; NULL: the address was given */
};

/* `command` is its name, `usage` what --help prints, and `flag` the long name of the flag, whose first letter is the short
 * one; NULL: it has none. False: it is all done, with the exit code *code. Else asking_end is owed. */
bool asking_parse(struct asking *a, int argc, char **argv, const char *command, const char *usage,
                  const char *flag, int *code);
void asking_end(struct asking *a);

#endif
