#include "now.h"

struct slice now_text(struct now *now)
{
    int64_t ns = clock_now();
    if (ns / NS_PER_MS != now->ms) {
        now->ms = ns / NS_PER_MS;
        now->len = clock_format(ns, now->text);
    }
    return slice_of(now->text, now->len);
}
