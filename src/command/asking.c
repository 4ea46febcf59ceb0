#include "asking.h"

#include <getopt.h>
#include <stdio.h>

#include "base/error.h"

/* 0, or -1: getopt has said what is wrong, or there is one argument too many. */
static int parse(struct asking *a, int argc, char **argv, const char *flag, const char **config, bool *help)
{
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"help", no_argument, NULL, 'h'},
                                     {flag, no_argument, NULL, 'f'},
                                     {0}};
    const char letters[] = {'c', ':', 'h', flag ? flag[0] : '\0', '\0'};
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        if (c == '?') {
            return -1;
        }
        if (c == 'c') {
            *config = optarg;
        } else if (c == 'h') {
            *help = true;
        } else {
            a->flag = true;
        }
    }
    a->listen = optind < argc ? argv[optind++] : NULL;
    return optind < argc ? -1 : 0;
}

bool asking_parse(struct asking *a, int argc, char **argv, const char *command, const char *usage,
                  const char *flag, int *code)
{
    const char *config = NULL;
    bool help = false;
    *a = (struct asking){0};
    if (parse(a, argc, argv, flag, &config, &help) < 0) {
        fputs(usage, stderr);
        *code = EXIT_CONFIG;
        return false;
    }
    if (help) {
        fputs(usage, stdout);
        *code = EXIT_OK;
        return false;
    }
    if (a->listen) {
        return true;
    }
    struct error err;
    a->cfg = config_load(config, &err);
    if (!a->cfg) {
        fprintf(stderr, "sidetail %s: %s\n", command, err.text);
        *code = EXIT_CONFIG;
        return false;
    }
    a->listen = a->cfg->metrics_listen;
    return true;
}

void asking_end(struct asking *a)
{
    config_free(a->cfg);
}
