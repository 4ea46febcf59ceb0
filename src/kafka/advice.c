#include "kafka/advice.h"

#include <string.h>

/* librdkafka before this one doubles a nonce in SCRAM, which Kafka from 4.0 on refuses (its pull request
 * 4895). */
#define SCRAM_MENDED 0x020601ff

static const char *login_advice(const rd_kafka_conf_t *conf)
{
    char mechanism[32] = "";
    size_t size = sizeof(mechanism);
    rd_kafka_conf_get(conf, "sasl.mechanisms", mechanism, &size);
    if (!strncmp(mechanism, "SCRAM", 5) && rd_kafka_version() < SCRAM_MENDED) {
        return "check the user and the password; or are the brokers Kafka 4.0 or newer? librdkafka before "
               "2.6.1, "
               "as here, cannot log in to them by SCRAM: take PLAIN over TLS, or a client's certificate";
    }
    return "check kafka.sasl_mechanism, the user and the password";
}

const char *kafka_advice(const rd_kafka_conf_t *conf, const char *said)
{
    if (strstr(said, "unexpected eof") || strstr(said, "wrong version number")) {
        return "the listener seems not to want TLS (kafka.tls)";
    }
    if (strstr(said, "feature not supported")) {
        return "is that a controller's listener? kafka.brokers wants brokers";
    }
    if (strstr(said, "SCRAM") || strstr(said, "nvalid credentials") || strstr(said, "uthentication failed") ||
        (strstr(said, "SASL") && strstr(said, "handshake failed"))) {
        return login_advice(conf);
    }
    if (strstr(said, "certificate") || strstr(said, "SSL handshake")) {
        return "check kafka.tls_ca, and that the name in kafka.brokers is one in the broker's certificate";
    }
    if (strstr(said, "Failed to resolve")) {
        return "check the names in kafka.brokers";
    }
    if (strstr(said, "ApiVersion")) {
        return "the listener seems to want TLS or a login (kafka.tls, kafka.sasl_mechanism), or none";
    }
    return "check kafka.brokers, and that the brokers are up and can be reached from here";
}
