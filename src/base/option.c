#include "base/option.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

int option_choose(const char *text, const char *const *names, const char *what, const char *wanted,
                  struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return error_set(err, "%s: found %s; expected %s", what, error_quote(text, quoted), wanted);
}

int option_unknown(char **argv, const char *command, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX], letter[3] = {'-', (char)optopt, '\0'};
    bool is_short = optopt > 0 && optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0;
    return error_set(err, "the option %s is unknown, or lacks its value (sidetail %s --help)",
                     error_quote(is_short ? letter : argv[optind - 1], quoted), command);
}
