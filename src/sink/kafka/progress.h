/* How far producing got in one turn of the loop. */
#ifndef SIDETAIL_SINK_KAFKA_PROGRESS_H
#define SIDETAIL_SINK_KAFKA_PROGRESS_H

enum kafka_progress {
    KAFKA_ALL,         /* everything is produced */
    KAFKA_BUSY,        /* time is up: go on at the next turn of the loop */
    KAFKA_FULL,        /* librdkafka's queue (or memory) is full: go on after some deliveries, or later */
    KAFKA_NEEDS_TOPIC, /* a topic must be made ready first; nothing of the batch was produced yet */
    /* The same of a proof (proof.h), for which the transaction has to be empty. */
    KAFKA_NEEDS_PROOF,
    KAFKA_BROKEN, /* the producer takes no more: err says why */
};

#endif
