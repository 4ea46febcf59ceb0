/* sidetail tail: what containers write, for somebody at a terminal. */
#include "tail/tail.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"

/* Ends as the signal would have ended it, so that a shell knows (130 for Ctrl-C). As PID 1 of a container the
 * kernel withholds such a signal: then the number says it. */
static int die_of(int signal_number)
{
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    return 128 + signal_number;
}

int command_tail(int argc, char **argv)
{
    struct tail_options options;
    struct error err = {0};
    if (tail_options_parse(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "sidetail tail: %s\n", err.text);
        return EXIT_CONFIG;
    }
    if (options.help) {
        fputs(tail_usage, stdout);
        tail_options_free(&options);
        return EXIT_OK;
    }
    struct config *cfg = config_load(options.config, &err);
    if (!cfg) {
        fprintf(stderr, "sidetail tail: %s\n", err.text);
        tail_options_free(&options);
        return EXIT_CONFIG;
    }
    log_setup(LEVEL_ERROR, cfg->log_format);
    int result = tail_run(&options, cfg);
    config_free(cfg);
    tail_options_free(&options);
    return result < 0 ? die_of(-result) : result;
}
