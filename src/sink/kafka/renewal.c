#include "renewal.h"

#include "base/clock.h"
#include "base/log.h"

#define LOOK_NS NS_PER_S /* between two looks */

/* A consumer, which asks nothing of the brokers; of an idempotent producer they would hear. */
static void run(struct job *job)
{
    struct kafka_renewal *r = (struct kafka_renewal *)job;
    r->err.text[0] = '\0';
    rd_kafka_t *rk = kafka_client(r->settings, RD_KAFKA_CONSUMER, &r->err);
    if (rk) {
        rd_kafka_destroy(rk);
    }
}

static void done(struct job *job)
{
    struct kafka_renewal *r = (struct kafka_renewal *)job;
    r->trying = false;
    r->used = r->tried_files;
    r->due = !*r->err.text;
    if (r->due) {
        log_info("taking up the files of TLS, which were renewed");
    } else {
        log_warn("the files of TLS were changed, and are of no use as they are; the connection goes on with "
                 "what they were",
                 KV("reason", r->err.text));
    }
    event_active(r->tried, 0, 0);
}

void kafka_renewal_look(struct kafka_renewal *r)
{
    int64_t now_ns = clock_monotonic();
    if (!r->any || r->trying || r->due || now_ns - r->looked_ns < LOOK_NS) {
        return;
    }
    r->looked_ns = now_ns;
    if (kafka_files_note(&r->tried_files, r->settings) && !kafka_files_same(&r->tried_files, &r->used)) {
        r->trying = true;
        worker_post(r->worker, &r->job);
    }
}

void kafka_renewal_made(struct kafka_renewal *r, const struct kafka_files *files)
{
    r->used = *files;
    r->due = false;
}

void kafka_renewal_init(struct kafka_renewal *r, const struct kafka_settings *settings, struct worker *worker,
                        struct event *tried)
{
    *r = (struct kafka_renewal){.job = {.run = run, .done = done},
                                .worker = worker,
                                .settings = settings,
                                .tried = tried,
                                .any = kafka_files_any(settings)};
}
