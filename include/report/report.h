/* `sidetail status` and `sidetail top`: what a running collector tells of itself, for people and for scripts. */
#ifndef SIDETAIL_REPORT_REPORT_H
#define SIDETAIL_REPORT_REPORT_H

#include <stdbool.h>

/* Asks the collector whose metrics.listen is `listen`, and prints what it answers: as a table that fits the terminal, or as the
 * JSON that came. Where nobody asked it within a minute, it is asked again after a second, so that rates are those of
 * now. Returns an enum exit_code: EXIT_OK, EXIT_FAULT where it has a problem, EXIT_UNREACHED, which stderr tells. */
int report_status(const char *listen, bool json);

/* Shows the same on the terminal, anew each second, until q is typed or a signal comes; the terminal is as it was then. A
 * collector that does not answer is asked again and again. Returns an enum exit_code, or a signal's number, negative:
 * the process is to end by that. */
int report_top(const char *listen);

#endif
