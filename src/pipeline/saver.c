#include "saver.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/status.h"

#define AGAIN_MAX (5 * NS_PER_S)   /* between two tries, however long checkpoint.interval is */
#define SOON      (50 * NS_PER_MS) /* from a log's loss of a file to the save */

static void failed(struct saver *s, const struct error *err)
{
    metrics.commit_errors++;
    if (!s->failing) {
        log_error(
            s->sink->ops->exact
                ? "cannot save the checkpoint; reading waits until it can be saved, and that is tried again"
                : "cannot save the checkpoint, trying again; after a kill, lines come twice",
            KV("error", err->text));
    }
    s->failing = true;
    status_fails(&status.checkpoint, "%s", err->text);
    if (s->sink->ops->exact) {
        s->hold_back(s->arg, true);
    }
    int64_t wait = s->cfg->checkpoint_interval;
    loop_arm_timer(s->timer, wait < AGAIN_MAX ? wait : AGAIN_MAX);
}

static void succeeded(struct saver *s)
{
    if (!s->failing) {
        return;
    }
    log_info("the checkpoint is saved again");
    s->failing = false;
    status_works(&status.checkpoint);
    s->hold_back(s->arg, false);
}

int saver_save(struct saver *s)
{
    struct error err = {0};
    s->soon = false;
    if (s->sink->ops->owns_positions) {
        return 0;
    }
    if (checkpoint_dirty(s->checkpoint)) { /* else the sink has saved it meanwhile */
        if ((s->sink->ops->sync && s->sink->ops->sync(s->sink, &err) < 0) ||
            checkpoint_save(s->checkpoint, &err) < 0) {
            failed(s, &err);
            return -1;
        }
        metrics.commits++;
    }
    succeeded(s);
    return 0;
}

void saver_arm(struct saver *s)
{
    if (!s->sink->ops->owns_positions && checkpoint_dirty(s->checkpoint) &&
        !evtimer_pending(s->timer, NULL)) {
        loop_arm_timer(s->timer, s->cfg->checkpoint_interval);
    }
}

void saver_save_soon(struct saver *s)
{
    if (s->sink->ops->exact && !s->failing && !s->soon) {
        s->soon = true;
        loop_arm_timer(s->timer, s->cfg->checkpoint_interval < SOON ? s->cfg->checkpoint_interval : SOON);
    }
}

/* -- set-up ------------------------------------------------------------------------------------ */

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    saver_save(arg);
}

int saver_init(struct saver *s, struct event_base *base, struct checkpoint *checkpoint,
               void (*hold_back)(void *arg, bool held_back), void *arg)
{
    *s = (struct saver){.checkpoint = checkpoint, .hold_back = hold_back, .arg = arg};
    s->timer = evtimer_new(base, on_due, s);
    return s->timer ? 0 : -1;
}

void saver_free(struct saver *s)
{
    loop_free_event(s->timer);
}
