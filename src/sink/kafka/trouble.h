/* What the log says once for as long as it lasts: that Kafka takes nothing, or that a topic is not ready. Loop
 * thread only. */
#ifndef SIDETAIL_SINK_KAFKA_TROUBLE_H
#define SIDETAIL_SINK_KAFKA_TROUBLE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct kafka_trouble {
    struct event *stall_timer, *throttle_timer;
    int64_t patience_ns;        /* the longest that batches may be under way without an acknowledgement */
    bool under_way;             /* some are */
    bool said;                  /* that Kafka takes nothing */
    bool topic_said;            /* that a topic is not ready */
    bool throttled;             /* that a quota slows us down, for the last minute */
    int64_t throttled_until_ns; /* monotonic: until then no answer is to be expected */
    struct error broker;        /* what was last told of a broker */
};

/* 0, or -1 (no memory). */
int kafka_trouble_init(struct kafka_trouble *t, struct event_base *base, int64_t patience_ns);
void kafka_trouble_free(struct kafka_trouble *t);

/* Kafka takes nothing, for that reason; or it does again. */
void kafka_trouble_say(struct kafka_trouble *t, const char *reason);
void kafka_trouble_over(struct kafka_trouble *t);

/* librdkafka told of an error that is not the end of its producer. all_down: none of the brokers answers,
 * which is trouble when batches are under way. */
void kafka_trouble_broker(struct kafka_trouble *t, bool all_down, const char *text);

/* A batch is under way. After `patience_ns` without kafka_trouble_acked, that is trouble. */
void kafka_trouble_submitted(struct kafka_trouble *t);
/* One was acknowledged; are more under way? */
void kafka_trouble_acked(struct kafka_trouble *t, bool more);

/* The brokers hold back what we send for so long, for a quota. Said once, until they have not for a minute. */
void kafka_trouble_throttled(struct kafka_trouble *t, int ms);

/* Counted as an error of the sink each time. */
void kafka_trouble_topic(struct kafka_trouble *t, const char *topic, const char *reason);
/* The one that lines waited for is ready. */
void kafka_trouble_topic_over(struct kafka_trouble *t);

/* What a job of the worker tells while it goes on: the kinds for worker_note, and who takes them up (arg: the
 * kafka_trouble). */
enum kafka_note { KAFKA_NOTE_INFO, KAFKA_NOTE_WARN, KAFKA_NOTE_TROUBLE };
void kafka_trouble_note(void *arg, int kind, const char *text);

#endif
