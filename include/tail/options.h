/* What `sidetail tail` was asked for. */
#ifndef SIDETAIL_TAIL_OPTIONS_H
#define SIDETAIL_TAIL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "encode/pretty/time.h"
#include "record/record.h"
#include "record/severity.h"

/* Strings are the arguments themselves (argv) and stay theirs; the lists are freed by tail_options_free. */
struct tail_texts {
    const char **items;
    size_t count;
};

struct tail_options {
    struct tail_texts names;         /* services and containers: globs, or beginnings of ids */
    struct tail_texts projects;      /* --project: globs */
    struct tail_texts labels;        /* --label k=v or k: the key exact, the value a glob */
    struct tail_texts grep, exclude; /* --grep, --exclude */
    int64_t since_ns, until_ns;      /* 0: unbounded */
    int64_t lines;                   /* -n: last lines of each container; -1: all */
    enum severity level;             /* --level: at least; NONE: all */
    int stream;                      /* --stream: enum stream, -1: both */
    enum pretty_times times;         /* -t */
    enum color color;                /* --color, --no-color */
    bool lines_given;                /* -n was */
    bool json, raw_json, no_follow, all, files, kafka, help;
    const char *config; /* -c; NULL: none */
};

/* 0, or -1: err says what is wrong. On 0 tail_options_free is owed. */
int tail_options_parse(int argc, char **argv, struct tail_options *out, struct error *err);
void tail_options_free(struct tail_options *o);

extern const char tail_usage[];

#endif
