#include "brokers.h"

#include <string.h>

#include "kafka/advice.h"
#include "tail/say.h"

void brokers_free(struct brokers *b)
{
    if (b->errors) {
        rd_kafka_queue_destroy(b->errors);
    }
    b->errors = NULL;
}

void brokers_listen(struct brokers *b, rd_kafka_t *rk, int wake_fd)
{
    uint64_t one = 1;
    brokers_free(b);
    b->errors = rd_kafka_queue_get_main(rk);
    rd_kafka_queue_io_event_enable(b->errors, wake_fd, &one, sizeof(one));
}

void brokers_fault(const struct config *cfg, rd_kafka_t *rk, const char *said, struct error *err)
{
    const char *after = strstr(said, " (after "); /* so many ms in a state that is librdkafka's own matter */
    int len = (int)(after ? (size_t)(after - said) : strlen(said));
    error_set(err, "no broker of kafka.brokers (%.200s) answers: %.*s; %s", cfg->kafka_brokers,
              len < 180 ? len : 180, said, kafka_advice(rd_kafka_conf(rk), said));
}

void brokers_say(struct brokers *b, const struct config *cfg, rd_kafka_t *rk, const char *said)
{
    struct error err;
    if (!b->said) {
        brokers_fault(cfg, rk, said, &err);
        tail_say(err.text);
    }
    b->said = true;
}

void brokers_answer(struct brokers *b)
{
    if (b->said) {
        tail_say("Kafka answers again");
    }
    b->said = false;
}

void brokers_take_errors(struct brokers *b, const struct config *cfg, rd_kafka_t *rk)
{
    for (rd_kafka_event_t *event; b->errors && (event = rd_kafka_queue_poll(b->errors, 0));
         rd_kafka_event_destroy(event)) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            brokers_say(b, cfg, rk, rd_kafka_event_error_string(event));
        }
    }
}
