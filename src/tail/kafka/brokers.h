/* What librdkafka tells of brokers, and how it is said. */
#ifndef SIDETAIL_TAIL_KAFKA_BROKERS_H
#define SIDETAIL_TAIL_KAFKA_BROKERS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

/* Zero-initialised; brokers_free is owed, before the client ends. */
struct brokers {
    rd_kafka_queue_t *errors; /* NULL: nobody listens */
    bool said;                /* that none answers */
};

/* Listens to this client from now on, whose errors wake up the owner of the eventfd. */
void brokers_listen(struct brokers *b, rd_kafka_t *rk, int wake_fd);
void brokers_free(struct brokers *b);

/* What to tell a user where no broker answers; `said`: by librdkafka. */
void brokers_fault(const struct config *cfg, rd_kafka_t *rk, const char *said, struct error *err);
/* Says so, once until brokers_answer. */
void brokers_say(struct brokers *b, const struct config *cfg, rd_kafka_t *rk, const char *said);
void brokers_answer(struct brokers *b);
/* Takes what was told meanwhile. */
void brokers_take_errors(struct brokers *b, const struct config *cfg, rd_kafka_t *rk);

#endif
