/* When a transaction is to be committed, by the clock: soon after its first line was written; but where little is written,
 * not soon after the one before. A commit costs the brokers as much for a line as for thousands. And when the first line of
 * the next one can go. Loop thread. */
#ifndef SIDETAIL_SINK_KAFKA_PACE_H
#define SIDETAIL_SINK_KAFKA_PACE_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#include "settings.h"

#define KAFKA_LITTLE 262144 /* bytes; a transaction of less can wait */
/* The coordinator answers a commit first and marks the partitions then, for some milliseconds. It turns away what comes to
 * it meanwhile (CONCURRENT_TRANSACTIONS), and librdkafka asks again 20 ms later, each time. */
#define KAFKA_MARKING_NS (4 * NS_PER_MS)

/* ns; the times are monotonic ones. */
struct kafka_pace {
    int64_t age, pause;   /* kafka.commit_age, kafka.commit_pause */
    int64_t written_ns;   /* the open transaction's first line */
    int64_t committed_ns; /* the last transaction; 0: there was none */
    struct event *timer;
};

/* `due` is called when a transaction is. 0, or -1 (no memory); it is to be freed then too. */
int kafka_pace_init(struct kafka_pace *p, const struct kafka_settings *settings, struct event_base *base,
                    event_callback_fn due, void *arg);
void kafka_pace_free(struct kafka_pace *p);

/* A transaction begins, whose first line was written then, as far as is known. */
void kafka_pace_begin(struct kafka_pace *p, int64_t written_ns);
/* The open transaction holds so many bytes now. */
void kafka_pace_wait(struct kafka_pace *p, size_t bytes);
/* There is none to wait for. */
void kafka_pace_stop(struct kafka_pace *p);

/* So long from now on the brokers mark the last transaction, as far as is known: nothing is produced in the next one yet. 0, or
 * less: no longer. */
int64_t kafka_pace_marking(const struct kafka_pace *p);

/* When one is due that holds so many bytes. */
int64_t kafka_pace_due(const struct kafka_pace *p, size_t bytes);
/* So long a line waits for that, at the most. */
int64_t kafka_pace_longest(const struct kafka_pace *p);

#endif
