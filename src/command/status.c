/* sidetail status: what does a running collector do? */
#include <getopt.h>
#include <stdio.h>

#include "base/error.h"
#include "command/command.h"
#include "config/config.h"
#include "report/report.h"

static const char usage[] =
    "usage: sidetail status [-c FILE] [--json] [ADDRESS:PORT]\n"
    "\n"
    "Asks a running sidetail what it does: how source, sink and checkpoint do, where each log stands, and "
    "what is "
    "left out\n"
    "and why. ADDRESS:PORT is by default the metrics.listen of the configuration.\n"
    "\n"
    "Columns: LAG is bytes written and not yet read, BEHIND how old the last line read is while there are "
    "any, "
    "LAST how\n"
    "old a log's last line is.\n"
    "\n"
    "Exits with 0 when all is well, 1 when there is a problem, 2 for wrong arguments, 5 when no collector "
    "answers. What\n"
    "the configuration or a label leaves out is no problem.\n"
    "\n"
    "  -c, --config FILE  read this configuration (default: SIDETAIL_CONFIG, else none)\n"
    "  -j, --json         print the answer of /status as it is: JSON\n"
    "  -h, --help         this text\n";

struct arguments {
    const char *config, *listen;
    bool json, help;
};

static int parse(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "c:jh", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            args->config = optarg;
            break;
        case 'j':
            args->json = true;
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

static int ask_configured(const struct arguments *args)
{
    struct error err;
    struct config *cfg = config_load(args->config, &err);
    if (!cfg) {
        fprintf(stderr, "sidetail status: %s\n", err.text);
        return EXIT_CONFIG;
    }
    int code = EXIT_UNREACHED;
    if (cfg->metrics_listen[0] == '\0') {
        fputs("sidetail status: metrics.listen is empty, so there is nothing to ask\n", stderr);
    } else {
        code = report_status(cfg->metrics_listen, args->json);
    }
    config_free(cfg);
    return code;
}

int command_status(int argc, char **argv)
{
    struct arguments args = {0};
    if (parse(argc, argv, &args) < 0) {
        fputs(usage, stderr);
        return EXIT_CONFIG;
    }
    if (args.help) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    return args.listen ? report_status(args.listen, args.json) : ask_configured(&args);
}
