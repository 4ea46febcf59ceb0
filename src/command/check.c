/* sidetail check: is the configuration right, and what is it? */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

#include "base/privilege.h"
#include "command/command.h"
#include "config/config.h"
#include "sink/kafka.h"

static const char usage[] =
    "usage: sidetail check [-c FILE] [--connect]\n"
    "\n"
    "Reads the configuration as `sidetail run` would: defaults, the file, environment variables. When it is "
    "right, prints\n"
    "all of it as JSON with secrets as \"***\" and exits with 0. When it is not, says where and what was "
    "expected, and\n"
    "exits with 2.\n"
    "\n"
    "  -c, --config FILE   the configuration file (default: what SIDETAIL_CONFIG names; none)\n"
    "      --connect       also tries what the sink connects to (Kafka: the brokers, the login, the topics "
    "and the "
    "rights),\n"
    "                      and prints a line for each in place of the configuration; exits with 1 when "
    "something is "
    "wrong\n"
    "  -h, --help          this text\n";

static int print(const struct config *cfg)
{
    json_t *dump = config_dump(cfg);
    int result = dump ? json_dumpf(dump, stdout, JSON_INDENT(2)) : -1;
    json_decref(dump);
    if (result < 0 || putchar('\n') == EOF || fflush(stdout) == EOF ||
        config_overrides_tell(cfg, stderr) < 0) {
        perror("sidetail: the configuration is right but cannot be printed");
        return EXIT_FAULT;
    }
    return EXIT_OK;
}

static int connect_sink(const struct config *cfg)
{
    if (cfg->sink != SINK_KAFKA) {
        puts("ok    the sink connects to nothing");
        return EXIT_OK;
    }
    return kafka_check(cfg, stdout) < 0 ? EXIT_FAULT : EXIT_OK;
}

int command_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"connect", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *path = NULL;
    bool connects = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'n':
            connects = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default: /* getopt has said what is wrong */
            fputs("sidetail: see sidetail check --help\n", stderr);
            return EXIT_CONFIG;
        }
    }
    if (optind < argc) {
        fprintf(stderr,
                "sidetail: check takes no argument '%s'; a file is given by -c (sidetail check --help)\n",
                argv[optind]);
        return EXIT_CONFIG;
    }
    struct error err;
    privilege_read_all(); /* as run does: what names a swarm's node is read with it */
    struct config *cfg = config_load(path, &err);
    if (!cfg || (cfg->sink == SINK_KAFKA && kafka_settings_check(cfg, &err) < 0)) {
        fprintf(stderr, "sidetail: %s\n", err.text);
        config_free(cfg);
        return EXIT_CONFIG;
    }
    int code = connects ? connect_sink(cfg) : print(cfg);
    config_free(cfg);
    return code;
}
