/* The steps of a reader: it waits for its turn, is read, waits again, rests, ends. reader.c says when. */
#ifndef SIDETAIL_TAIL_API_PHASE_H
#define SIDETAIL_TAIL_API_PHASE_H

#include "base/clock.h"
#include "reader.h"

#define RETRY_MIN (100 * NS_PER_MS) /* its backoff, once it brought an entry */

/* Queues it to be opened at its position, unless it is open: readers_open_next follows. */
void reader_enqueue(struct reader *r);
/* Gives up its stream and its check. None is fine. */
void reader_close_stream(struct reader *r);
/* Opens it after a while, longer each time. */
void reader_retry(struct reader *r);
/* Opens another stream in place of its own: what was taken is passed over. */
void reader_reopen(struct reader *r);

/* Begins the past anew: from its last lines, which are looked for in a window of that many ns (reader.h), to be opened next. */
void reader_keep_last(struct reader *r, int64_t window_ns);
/* From the past to the present; does nothing where it is no longer in the past. */
void reader_leave_past(struct reader *r);
/* All that it wrote before now is read, and the stream of that has ended. May free it. */
void reader_past_ended(struct reader *r);
/* The last words of the run that ended are read. */
void reader_show_stop(struct reader *r);
/* Its stream has ended, or there is none to be had: what next? May free it. */
void reader_go_on(struct reader *r);

/* Its container's `user` becomes NULL. */
void reader_free(struct reader *r);

#endif
