/* sidetail tail: what containers write, for somebody at a terminal. */
#include "tail/tail.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"
#include "die_of.h"

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
