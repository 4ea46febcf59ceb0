/* Saving the local checkpoint, and what waits while that fails. */
#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"
#include "internal.h"

#define AGAIN_MAX (5 * NS_PER_S)   /* between two tries, however long checkpoint.interval is */
#define SOON      (50 * NS_PER_MS) /* from a log's loss of a file to the save */

/* Without a checkpoint an exact sink's output counts for nothing after a kill: it is cut off, and has to be
 * read again. Logs go on rotating meanwhile, so each line read then may be one that cannot be read again. */
bool save_holds_back(const struct pipeline *pl)
{
    return pl->save_failing && pl->sink->ops->exact;
}

static void failed(struct pipeline *pl, const struct error *err)
{
    metrics.commit_errors++;
    if (!pl->save_failing) {
        log_error(
            pl->sink->ops->exact
                ? "cannot save the checkpoint; reading waits until it can be saved, and that is tried again"
                : "cannot save the checkpoint, trying again; after a kill, lines come twice",
            KV("error", err->text));
    }
    pl->save_failing = standing.checkpoint_failing = true;
    int64_t wait = pl->cfg->checkpoint_interval;
    pipeline_arm_timer(pl->save_timer, wait < AGAIN_MAX ? wait : AGAIN_MAX);
}

static void succeeded(struct pipeline *pl)
{
    if (!pl->save_failing) {
        return;
    }
    log_info("the checkpoint is saved again");
    pl->save_failing = standing.checkpoint_failing = false;
    pipeline_wake_source(pl);
}

int pipeline_save(struct pipeline *pl)
{
    struct error err = {""};
    pl->save_soon = false;
    if (pl->sink->ops->owns_positions) {
        return 0;
    }
    if (checkpoint_dirty(pl->checkpoint)) { /* else the sink has saved it meanwhile */
        if ((pl->sink->ops->sync && pl->sink->ops->sync(pl->sink, &err) < 0) ||
            checkpoint_save(pl->checkpoint, &err) < 0) {
            failed(pl, &err);
            return -1;
        }
        metrics.commits++;
    }
    succeeded(pl);
    return 0;
}

void save_arm(struct pipeline *pl)
{
    if (!pl->sink->ops->owns_positions && checkpoint_dirty(pl->checkpoint) &&
        !evtimer_pending(pl->save_timer, NULL)) {
        pipeline_arm_timer(pl->save_timer, pl->cfg->checkpoint_interval);
    }
}

void pipeline_save_soon(struct pipeline *pl)
{
    if (pl->sink->ops->exact && !pl->save_failing && !pl->save_soon) {
        pl->save_soon = true;
        pipeline_arm_timer(pl->save_timer,
                           pl->cfg->checkpoint_interval < SOON ? pl->cfg->checkpoint_interval : SOON);
    }
}

void save_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    pipeline_save(arg);
}
