/* sidetail try: what would become of these lines? */
#include "try/try.h"

#include <stdio.h>

#include "base/log.h"
#include "command/command.h"

static int load_and_run(const struct try_options *options)
{
    struct error err = {0};
    struct config *cfg = config_load(options->config, &err);
    if (!cfg) {
        fprintf(stderr, "sidetail try: %s\n", err.text);
        return EXIT_CONFIG;
    }
    log_setup(LEVEL_WARN, cfg->log_format);
    int code = try_run(options, cfg);
    config_free(cfg);
    return code;
}

int command_try(int argc, char **argv)
{
    struct try_options options;
    struct error err = {0};
    int code = EXIT_OK;
    if (try_options_parse(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "sidetail try: %s\n", err.text);
        code = EXIT_CONFIG;
    } else if (options.help) {
        fputs(try_usage, stdout);
    } else {
        code = load_and_run(&options);
    }
    try_options_free(&options);
    return code;
}
