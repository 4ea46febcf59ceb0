#include <stdio.h>

#include "asking.h"
#include "base/error.h"
#include "command/command.h"
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
    struct asking a;
    int code;
    if (asking_parse(&a, argc, argv, "health", usage, "ready", &code)) {
        code = ask(a.listen, a.flag);
        asking_end(&a);
    }
    return code;
}
