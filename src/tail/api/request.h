/* What a reader asks the Engine for: its container's log, and the log's last entries to compare with. */
#ifndef SIDETAIL_TAIL_API_REQUEST_H
#define SIDETAIL_TAIL_API_REQUEST_H

#include "reader.h"

/* Must more be known of the container than the list says, before its log is opened? Following needs all of
 * it. The past needs it only where it is read in a way of its own: for the log of a terminal, and for that of
 * an old Engine, which leaves lines out when asked with `since`, or may crash when asked for the last ones. */
bool request_needs_inspection(const struct reader *r);
/* Must the last lines of the past be chosen here (engine_tail_harms)? For that the end of the log is asked for, and more of it
 * while that has too few lines. */
bool request_keeps_last(const struct reader *r);
/* The first window of those: reader.window_ns. */
#define REQUEST_WINDOW NS_PER_S
/* All of the window was read. Did it have too few lines? Then the next one is set. */
bool request_widens(struct reader *r);
/* How the log is to be opened in the reader's phase, at its cursor, which is set to passing over what was taken. */
struct log_options request_options(struct reader *r);
/* Begins a check; `held` and `strict` are those of struct api_check, and `done` gets the reader. 0, or -1: memory. */
int request_check(struct reader *r, struct held_entry held, bool strict,
                  void (*done)(void *arg, enum check_result result));

#endif
