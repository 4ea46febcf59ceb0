/* Arguments, and which command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "command/command.h"

/* A command is a line here: --help and the man page are made from it. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *takes, *about;
} commands[] = {
    {"run", command_run, "[-c FILE]", "collect: to stdout, a file or Kafka"},
    {"tail", command_tail, "[SERVICE|CONTAINER...]", "watch: on a terminal, from the Engine or its files"},
    {"check", command_check, "[-c FILE]", "validate the configuration and print it"},
    {"try", command_try, "[-c FILE] < LINES", "show what would become of lines"},
    {"status", command_status, "[ADDRESS:PORT]", "ask a running collector what it does"},
    {"top", command_top, "[ADDRESS:PORT]", "the same, on a terminal, anew each second"},
    {"health", command_health, "[ADDRESS:PORT]", "ask a running collector how it is"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
    fputs("sidetail " VERSION ": follows what containers write and ships it, tagged with its service\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        int width = 28 - (int)strlen(commands[i].name);
        fprintf(out, "%s sidetail %s %-*s  %s\n", i ? "      " : "usage:", commands[i].name, width,
                commands[i].takes, commands[i].about);
    }
    fputs("       sidetail COMMAND --help                 what a command takes\n"
          "       sidetail --help | --version\n",
          out);
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "sidetail: there is no command '%s'; commands are", name);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    }
    fputs(" (sidetail --help)\n", stderr);
    return EXIT_CONFIG;
}

/* A standard stream that the caller closed would be the next file that is opened, and get our log lines.
 * Stdout's place holder refuses writes, so that the sink notices. 0 or -1. */
static int hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0) {
            return -1;
        }
    }
    return 0;
}

/* In a fresh process nothing is left of what the old one held. Returns only where that fails. */
static int begin_anew(char **argv)
{
    execv("/proc/self/exe", argv);
    log_error("cannot start the process anew", KV("error", strerror(errno)), KV("hint", "start it again"));
    return EXIT_FAULT;
}

int main(int argc, char **argv)
{
    if (hold_standard_streams() < 0) {
        return EXIT_FAULT; /* with nowhere to say so */
    }
    prctl(PR_SET_NAME, program_invocation_short_name); /* one that began anew would be "exe" to ps and top */
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_CONFIG;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout);
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts("sidetail " VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            int code = commands[i].run(argc - 1, argv + 1);
            return code == EXIT_ANEW ? begin_anew(argv) : code;
        }
    }
    return unknown_command(argv[1]);
}
