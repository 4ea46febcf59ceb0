/* What `sidetail tail` shows of a container: a line of its log, or a notice of what happened to it. */
#ifndef SIDETAIL_TAIL_LINE_H
#define SIDETAIL_TAIL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "record/record.h"

struct tail_writer;

enum tail_line_kind { TAIL_LINE, TAIL_NOTICE, TAIL_NOTICE_GOOD, TAIL_NOTICE_BAD };

struct tail_line {
    int64_t time_ns;
    struct slice text; /* borrowed */
    enum stream stream;
    enum tail_line_kind kind;
    bool partial;      /* cut here */
    struct slice json; /* borrowed: the line as JSON, where it came so and is to be shown so; empty: not */
    uint8_t level;     /* enum severity, where it came with one; 0: not */
    /* Of a feed of several writers; else NULL: the feed's own. Who takes a line off a queue has the reference
     * that the queue held. */
    struct tail_writer *writer;
};

#endif
