/* The table of logs, and what is said above and below it. Widths are those of a terminal, in columns; 0: as wide as it
 * takes. Memory that runs out ends the process. */
#ifndef SIDETAIL_REPORT_TABLE_H
#define SIDETAIL_REPORT_TABLE_H

#include "answer.h"

/* The columns that there is room for, and how wide they are. */
struct table {
    unsigned service, what;
    bool driver, offset; /* there is room for them */
};

struct table table_fit(const struct answer *a, unsigned width);
/* Without a newline. */
void table_put_head(struct buf *out, const struct table *t);
void table_put_row(struct buf *out, const struct table *t, const struct row *row, int64_t now_ns);

/* Who answers, and whether it is ready; how source, sink and checkpoint do. Each in one line, without a newline. */
void table_put_title(struct buf *out, const struct answer *a, const char *listen);
void table_put_states(struct buf *out, const struct answer *a);
/* Both, with what failed, in lines that fit. */
void table_put_parts(struct buf *out, const struct answer *a, const char *listen, unsigned width);
/* A line of sums. */
void table_put_sums(struct buf *out, const struct answer *a);
/* What is a problem, and what is left out; nothing, where there is neither. */
void table_put_reasons(struct buf *out, const struct answer *a, unsigned width);

#endif
