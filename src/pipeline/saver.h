/* Saves the local checkpoint while lines flow, and tries again while that fails. */
#ifndef SIDETAIL_PIPELINE_SAVER_H
#define SIDETAIL_PIPELINE_SAVER_H

#include <event2/event.h>

#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "sink/sink.h"

struct saver {
    const struct config *cfg;      /* borrowed */
    struct checkpoint *checkpoint; /* borrowed */
    struct sink *sink;             /* borrowed; set before anything is saved */
    struct event *timer;
    bool soon;    /* the timer was set to a save before checkpoint.interval is over */
    bool failing; /* the last save failed */
    /* Without a checkpoint an exact sink's output counts for nothing after a kill: it is cut off, and has to
     * be read again. Logs go on rotating meanwhile, so each line read then may be one that cannot be read
     * again. So reading is held back while saving fails. */
    void (*hold_back)(void *arg, bool held_back);
    void *arg;
};

/* 0 or -1 (memory); saver_free is owed in either case, of a zeroed struct, too. */
int saver_init(struct saver *s, struct event_base *base, struct checkpoint *checkpoint,
               void (*hold_back)(void *arg, bool held_back), void *arg);
void saver_free(struct saver *s);

/* Saves now, unless the sink keeps the positions. 0, or -1: said, and tried again later. */
int saver_save(struct saver *s);
/* Saves within checkpoint.interval, where there is something to save. */
void saver_arm(struct saver *s);
/* Saves within 50 ms, where the sink is exact. */
void saver_save_soon(struct saver *s);

#endif
