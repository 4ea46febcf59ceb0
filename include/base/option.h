/* What commands with getopt_long(3) have in common. */
#ifndef SIDETAIL_BASE_OPTION_H
#define SIDETAIL_BASE_OPTION_H

#include "base/error.h"

/* The place of `text`, the value of the option `what`, in a list that ends with NULL; or -1, and err says what was `wanted`. */
int option_choose(const char *text, const char *const *names, const char *what, const char *wanted,
                  struct error *err);
/* getopt_long gave '?', with opterr 0: says which option it was. -1. */
int option_unknown(char **argv, const char *command, struct error *err);

#endif
