/* Lines for the eyes of somebody at a terminal: `web_1  | text`, with `!` in place of `|` for stderr and `*`
 * for what sidetail itself has to say. A line that is a JSON object is shown as
 * `web_1  | WARN  its message key=value …`. */
#ifndef SIDETAIL_ENCODE_PRETTY_H
#define SIDETAIL_ENCODE_PRETTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "encode/pretty/time.h"
#include "record/record.h"
#include "record/tags.h"

#define PRETTY_COLORS    10
#define PRETTY_WIDTH_MAX 32 /* columns that names are aligned to at most; a longer one stands as it is */

/* What the pretty encoder keeps. Zero-initialised is valid; pretty_free frees what it came to hold. */
struct pretty {
    bool color;              /* escape sequences may be written: our own, and the colours of the text */
    bool raw_json;           /* JSON objects stand as they were written */
    bool hosts;              /* a name has its host behind it: `web_1@node-1` */
    enum pretty_times times; /* stand first on a line */
    unsigned width;          /* columns of the widest name up to now */
    uint32_t colors[PRETTY_COLORS]; /* which service (a hash of its name) has each; 0: none */
    struct pretty_clock clock;
    struct buf head, text, value; /* scratch */
};

void pretty_free(struct pretty *p);

/* Appends the record as one line, or several where its text holds newlines. 0, or -1 (memory; out is as it
 * was). */
int pretty_put(struct pretty *p, const struct tags *tags, const struct record *rec, struct buf *out);

/* What happened to a container, said between its lines. */
enum pretty_tone { PRETTY_PLAIN, PRETTY_GOOD, PRETTY_BAD };
int pretty_notice(struct pretty *p, const struct tags *tags, int64_t time_ns, enum pretty_tone tone,
                  struct slice text, struct buf *out);

/* A line of that container may come: names are aligned to it from now on. 0 or -1 (memory). */
int pretty_expect(struct pretty *p, const struct tags *tags);

/* The name that stands before a line: the container's, where it begins with the service's, without its
 * project and swarm task id (`web_1` of shop_web_1), else the service's. Not safe to write to a terminal
 * before terminal_put. */
struct slice pretty_name(const struct tags *tags);

/* May colours be used? `terminal`: the output is one. By the setting; if auto, also by NO_COLOR
 * (no-color.org) and TERM=dumb. */
bool pretty_color(int color, bool terminal);

#endif
