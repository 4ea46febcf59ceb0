/* One screen of `sidetail top`, as text for a terminal: all of it is drawn anew each time. */
#ifndef SIDETAIL_REPORT_FRAME_H
#define SIDETAIL_REPORT_FRAME_H

#include "answer.h"

enum sort { SORT_RATE, SORT_LAG, SORT_NAME };

struct view {
    const char *listen;
    enum sort sort;
    bool problems;          /* shows problems and what is left out in place of the logs */
    size_t first;           /* log or line that is shown first; frame_put sees to it that there is one */
    unsigned width, height; /* of the terminal */
    const char *fault;      /* why there is no newer answer; NULL: there is */
    bool color;
};

/* Appends `height` lines, none of them wider than `width`. Sorts the rows. An answer without `json`: there is none yet. Memory
 * that runs out ends the process. */
void frame_put(struct buf *out, struct answer *a, struct view *v);
/* Logs or lines that are shown at once. */
unsigned frame_page(const struct view *v);

#endif
