/* From the configuration to librdkafka's: what each client of ours has. */
#ifndef SIDETAIL_KAFKA_CONF_H
#define SIDETAIL_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

/* Those that return an int: 0, or -1: err says what is wrong, with no secret in it. */

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err);
int kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct error *err);

/* The brokers and the login. */
int kafka_conf_client(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err);
/* kafka.properties, but for those that sidetail decides on. To be called after kafka_conf_client. */
int kafka_conf_pass(rd_kafka_conf_t *conf, const struct config *cfg, struct error *err);

/* A client of it, which owns it. NULL: err says why there is none, and the configuration is freed. */
rd_kafka_t *kafka_conf_make(rd_kafka_conf_t *conf, rd_kafka_type_t type, struct error *err);

/* How long a request may take. */
int64_t kafka_request_timeout_ms(const struct config *cfg);

#endif
