/* What to do about what librdkafka says of a broker. */
#ifndef SIDETAIL_KAFKA_ADVICE_H
#define SIDETAIL_KAFKA_ADVICE_H

#include <librdkafka/rdkafka.h>

/* Half a sentence: "check the names in kafka.brokers". `conf`: of the client that it was said to. */
const char *kafka_advice(const rd_kafka_conf_t *conf, const char *said);

#endif
