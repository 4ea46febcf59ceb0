#include "try/try.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"
#include "expect.h"
#include "input.h"
#include "show.h"
#include "trial.h"

/* While nothing comes, groups are let go as they are by time: looked at so often, in ms. */
#define LOOK_MS 50

struct run {
    const struct try_options *options;
    bool color;
    struct expect expect;
    struct trial *trial;
    size_t lines, records, dropped;
};

/* In which a terminal finds nothing to obey, as by --json of status. */
static void print_json(const json_t *outcome)
{
    struct buf line = {0};
    char *text = json_dumps(outcome, JSON_COMPACT);
    if (!text || buf_addf(&line, "%s\n", text) < 0 || terminal_escape(&line, 0) < 0) {
        die_out_of_memory();
    }
    fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
    free(text);
}

static void on_outcome(void *arg, const json_t *outcome, struct slice encoded)
{
    struct run *r = arg;
    bool dropped = json_object_get(outcome, "dropped");
    r->dropped += dropped;
    r->records += !dropped;
    if (r->options->expect) {
        expect_meet(&r->expect, outcome);
    } else if (r->options->json) {
        print_json(outcome);
    } else {
        show_outcome(stdout, r->color, outcome, encoded);
    }
}

static void on_record(void *arg, struct record *rec, size_t number, const char *format)
{
    struct run *r = arg;
    r->lines = number;
    trial_put(r->trial, rec, number, format);
}

/* Waits for input; what is held meanwhile is let go when it is due. An expectation must not depend on how fast lines
 * come. */
static void wait_for(struct run *r, int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    fflush(stdout);
    while (!r->options->expect && poll(&in, 1, trial_holds(r->trial) ? LOOK_MS : -1) == 0) {
        trial_pass_time(r->trial);
        fflush(stdout);
    }
}

static int read_all(struct run *r, const struct config *cfg)
{
    static const char *const formats[] = {
        [FILE_AUTO] = "auto", [FILE_JSON_FILE] = "json-file", [FILE_PLAIN] = "plain", [FILE_CRI] = "cri"};
    const char *format = r->options->format ? r->options->format : formats[cfg->files_format];
    struct input in = {.fd = STDIN_FILENO,
                       .decoder = decoder_find(format),
                       .line_max = (size_t)cfg->line_max,
                       .put = on_record,
                       .arg = r};
    int result = 1;
    while (result > 0) {
        wait_for(r, in.fd);
        result = input_read(&in);
    }
    if (result < 0) {
        fprintf(stderr, "sidetail try: standard input cannot be read: %s\n", strerror(errno));
    }
    trial_end(r->trial);
    input_free(&in);
    return result;
}

static int end(struct run *r, int result)
{
    size_t differences = 0;
    if (r->options->expect) {
        differences = expect_end(&r->expect);
    } else if (!r->options->json) {
        printf("%zu line%s: %zu record%s, %zu dropped\n", r->lines, r->lines == 1 ? "" : "s", r->records,
               r->records == 1 ? "" : "s", r->dropped);
    }
    if (fflush(stdout) == EOF || ferror(stdout)) {
        perror("sidetail try: standard output cannot be written");
        return EXIT_FAULT;
    }
    return result < 0 || differences > 0 ? EXIT_FAULT : EXIT_OK;
}

int try_run(const struct try_options *o, struct config *cfg)
{
    struct run r = {.options = o, .color = pretty_color((int)cfg->color, isatty(STDOUT_FILENO))};
    struct error err = {0};
    int code = EXIT_CONFIG;
    if ((o->expect && expect_load(&r.expect, o->expect, &err) < 0) ||
        !(r.trial = trial_new(o, cfg, (struct trial_calls){on_outcome, &r}, &err))) {
        fprintf(stderr, "sidetail try: %s\n", err.text);
    } else {
        if (!trial_wanted(r.trial)) {
            fputs("sidetail try: a container like this is not collected (include, exclude, or its label "
                  "sidetail.enable); its lines are tried all the same\n",
                  stderr);
        }
        if (isatty(STDIN_FILENO)) {
            fputs("sidetail try: type or paste lines; Ctrl-D ends\n", stderr);
        }
        code = end(&r, read_all(&r, cfg));
    }
    trial_free(r.trial);
    expect_free(&r.expect);
    return code;
}
