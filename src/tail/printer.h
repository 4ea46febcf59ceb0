/* Writes lines to the screen: as JSON, or for people to read. */
#ifndef SIDETAIL_TAIL_PRINTER_H
#define SIDETAIL_TAIL_PRINTER_H

#include "config/config.h"
#include "line.h"
#include "record/tags.h"
#include "screen.h"
#include "tail/options.h"

struct printer;

/* Borrows the options. NULL: err says why there is no screen. */
struct printer *printer_new(struct event_base *base, const struct tail_options *o, const struct config *cfg,
                            const struct screen_calls *calls, struct error *err);
/* Drops what waits to be written. NULL is fine. */
void printer_free(struct printer *p);

/* Lines of a container with these tags may come: makes room for its name. 0, or -1: memory. */
int printer_expect(struct printer *p, struct tags *tags);
/* Appends a line to the screen, which takes it even when it is full. As JSON, a notice goes to stderr. 0, or
 * -1: memory. */
int printer_line(struct printer *p, const struct tags *tags, const struct tail_line *line);

/* The screen's: see screen_full and screen_empty. */
bool printer_full(struct printer *p);
bool printer_empty(const struct printer *p);

#endif
