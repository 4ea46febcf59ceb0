#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "command/command.h"
#include "config/config.h"
#include "monitor/client.h"

static const char usage[] =
    "usage: sidetail health [-c FILE] [--ready] [ADDRESS:PORT]\n"
    "\n"
    "Asks a running sidetail whether it is alive: exit 0 when it is, 1 and a sentence when not.\n"
    "ADDRESS:PORT is by default the metrics.listen of the configuration.\n"
    "\n"
    "  -c, --config FILE  read this configuration (default: SIDETAIL_CONFIG, else none)\n"
    "  -r, --ready        ask for readiness: are source and sink open, and does no fault stand?\n"
    "  -h, --help         this text\n";

struct arguments {
    const char *config, *listen;
    bool ready, help;
};

static int parse(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"ready", no_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "c:rh", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            args->config = optarg;
            break;
        case 'r':
            args->ready = true;
            break;
        case 'h':
            args->help = true;
            break;
        default:
            return -1;
        }
    }
    args->listen = optind < argc ? argv[optind++] : NULL;
    return optind < argc ? -1 : 0;
}

static int ask(const char *listen, bool ready)
{
    struct error err;
    if (listen[0] == '\0') {
        fputs("sidetail health: metrics.listen is empty, so there is nothing to ask\n", stderr);
        return EXIT_FAULT;
    }
    if (monitor_get(listen, ready ? "/readyz" : "/healthz", &err) < 0) {
        fprintf(stderr, "sidetail health: %s\n", err.text);
        return EXIT_FAULT;
    }
    puts(ready ? "ready" : "healthy");
    return EXIT_OK;
}

int command_health(int argc, char **argv)
{
    struct arguments args = {0};
    struct error err;
    if (parse(argc, argv, &args) < 0) {
        fputs(usage, stderr);
        return EXIT_CONFIG;
    }
    if (args.help) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    if (args.listen) {
        return ask(args.listen, args.ready);
    }
    struct config *cfg = config_load(args.config, &err);
    if (!cfg) {
        fprintf(stderr, "sidetail health: %s\n", err.text);
        return EXIT_CONFIG;
    }
    int code = ask(cfg->metrics_listen, args.ready);
    config_free(cfg);
    return code;
}
