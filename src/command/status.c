/* sidetail status and sidetail top: what does a running collector do? */
#include <getopt.h>
#include <stdio.h>

#include "base/error.h"
#include "command/command.h"
#include "config/config.h"
#include "die_of.h"
#include "report/report.h"

static const char status_usage[] =
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

static const char top_usage[] =
    "usage: sidetail top [-c FILE] [ADDRESS:PORT]\n"
    "\n"
    "Shows on the terminal what a running sidetail does, anew each second: the table of sidetail status.\n"
    "ADDRESS:PORT is by default the metrics.listen of the configuration.\n"
    "\n"
    "  q, Ctrl-C              end\n"
    "  r, l, n                sort by rate, by lag, by name\n"
    "  p                      problems and what is left out, or the logs again\n"
    "  arrows, page up, down  scroll\n"
    "\n"
    "  -c, --config FILE  read this configuration (default: SIDETAIL_CONFIG, else none)\n"
    "  -h, --help         this text\n";

/* What the two have in common, and where they differ. */
struct view {
    const char *name, *usage, *short_options;
    bool top;
};

static const struct view views[] = {{"status", status_usage, "c:jh", false}, {"top", top_usage, "c:h", true}};

struct arguments {
    const char *config, *listen;
    bool json, help;
};

static int parse(const struct view *view, int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    static const struct option top_options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, view->short_options, view->top ? top_options : options, NULL)) !=
           -1) {
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

/* An exit code, or a signal's number, negative. */
static int show(const struct view *view, const char *listen, bool json)
{
    if (listen[0] == '\0') {
        fprintf(stderr, "sidetail %s: metrics.listen is empty, so there is nothing to ask\n", view->name);
        return EXIT_UNREACHED;
    }
    return view->top ? report_top(listen) : report_status(listen, json);
}

static int show_configured(const struct view *view, const struct arguments *args)
{
    struct error err;
    struct config *cfg = config_load(args->config, &err);
    if (!cfg) {
        fprintf(stderr, "sidetail %s: %s\n", view->name, err.text);
        return EXIT_CONFIG;
    }
    int code = show(view, cfg->metrics_listen, args->json);
    config_free(cfg);
    return code;
}

static int run(const struct view *view, int argc, char **argv)
{
    struct arguments args = {0};
    if (parse(view, argc, argv, &args) < 0) {
        fputs(view->usage, stderr);
        return EXIT_CONFIG;
    }
    if (args.help) {
        fputs(view->usage, stdout);
        return EXIT_OK;
    }
    int code = args.listen ? show(view, args.listen, args.json) : show_configured(view, &args);
    return code < 0 ? die_of(-code) : code;
}

int command_status(int argc, char **argv)
{
    return run(&views[0], argc, argv);
}

int command_top(int argc, char **argv)
{
    return run(&views[1], argc, argv);
}
