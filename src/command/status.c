/* sidetail status and sidetail top: what does a running collector do? */
#include <stdio.h>

#include "asking.h"
#include "base/error.h"
#include "command/command.h"
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

/* An exit code, or a signal's number, negative. */
static int show(const char *command, const char *listen, bool top, bool json)
{
    if (listen[0] == '\0') {
        fprintf(stderr, "sidetail %s: metrics.listen is empty, so there is nothing to ask\n", command);
        return EXIT_UNREACHED;
    }
    return top ? report_top(listen) : report_status(listen, json);
}

int command_status(int argc, char **argv)
{
    struct asking a;
    int code;
    if (asking_parse(&a, argc, argv, "status", status_usage, "json", &code)) {
        code = show("status", a.listen, false, a.flag);
        asking_end(&a);
    }
    return code < 0 ? die_of(-code) : code;
}

int command_top(int argc, char **argv)
{
    struct asking a;
    int code;
    if (asking_parse(&a, argc, argv, "top", top_usage, NULL, &code)) {
        code = show("top", a.listen, true, false);
        asking_end(&a);
    }
    return code < 0 ? die_of(-code) : code;
}
