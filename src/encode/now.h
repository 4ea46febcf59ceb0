/* The time of records that bear none. */
#ifndef SIDETAIL_ENCODE_NOW_H
#define SIDETAIL_ENCODE_NOW_H

#include <stdint.h>

#include "base/clock.h"
#include "base/slice.h"

/* The current time as text, formatted once a millisecond. Zero-initialised is valid. */
struct now {
    int64_t ms;
    size_t len;
    char text[CLOCK_TEXT_MAX];
};

/* Valid until the next call. */
struct slice now_text(struct now *now);

#endif
