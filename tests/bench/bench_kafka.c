/* A bare producer to measure sidetail's Kafka sink by: sends the lines of files, each file's under its key,
 * with the headers and the settings that sidetail sends with, and does nothing else.
 *
 * usage: bench_kafka BROKERS TOPIC transactions|idempotent KEY=FILE... */
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define COMMIT_BYTES (8 << 20)
#define COMMIT_NS    (200 * NS_PER_MS)
#define TURN_BYTES   (256 << 10) /* of one file before the next one's turn */

struct input {
    const char *key, *at, *end;
    rd_kafka_headers_t *headers;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_kafka: %s: %s\n", what, why);
    exit(1);
}

static void check(rd_kafka_error_t *error)
{
    if (error) {
        die("transaction", rd_kafka_error_string(error));
    }
}

static rd_kafka_t *producer(const char *brokers, bool transactions)
{
    const char *settings[][2] = {
        {"bootstrap.servers", brokers}, {"enable.idempotence", "true"},   {"acks", "all"},
        {"compression.codec", "lz4"},   {"socket.nagle.disable", "true"}, {"transactional.id", "bench"}};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    size_t count = sizeof(settings) / sizeof(settings[0]) - !transactions;
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why))) {
            die(settings[i][0], why);
        }
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (!rk) {
        die("producer", why);
    }
    if (transactions) {
        check(rd_kafka_init_transactions(rk, 30000));
        check(rd_kafka_begin_transaction(rk));
    }
    return rk;
}

static struct input open_input(char *argument)
{
    char *path = strchr(argument, '=');
    if (!path) {
        die(argument, "expected KEY=FILE");
    }
    *path++ = '\0';
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        die(path, "cannot be read");
    }
    char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED) {
        die(path, "cannot be mapped");
    }
    struct input in = {
        .key = argument, .at = text, .end = text + st.st_size, .headers = rd_kafka_headers_new(4)};
    rd_kafka_header_add(in.headers, "service", -1, "web", -1);
    rd_kafka_header_add(in.headers, "stream", -1, "stdout", -1);
    rd_kafka_header_add(in.headers, "container", -1, "shop_web_1", -1);
    rd_kafka_header_add(in.headers, "host", -1, "node-1", -1);
    return in;
}

static void send_line(rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct input *in, size_t len)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_copy(in->headers);
    for (;;) {
        rd_kafka_resp_err_t code =
            rd_kafka_producev(rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_KEY(in->key, strlen(in->key)),
                              RD_KAFKA_V_VALUE((void *)in->at, len), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_TIMESTAMP(clock_now() / NS_PER_MS), RD_KAFKA_V_END);
        if (!code) {
            return;
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            die("produce", rd_kafka_err2str(code));
        }
        rd_kafka_poll(rk, 5);
    }
}

/* Sends a turn's worth of the file. Returns the bytes sent; 0 at its end. */
static size_t send_turn(rd_kafka_t *rk, rd_kafka_topic_t *topic, struct input *in, size_t *lines)
{
    size_t sent = 0;
    while (in->at < in->end && sent < TURN_BYTES) {
        const char *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
        size_t len = (size_t)((newline ? newline : in->end) - in->at);
        send_line(rk, topic, in, len);
        in->at += len + 1;
        sent += len + 1;
        ++*lines;
    }
    rd_kafka_poll(rk, 0);
    return sent;
}

static size_t send_all(rd_kafka_t *rk, rd_kafka_topic_t *topic, struct input *inputs, int count,
                       bool transactions)
{
    size_t lines = 0, pending = 0, sent;
    int64_t began_ns = clock_monotonic();
    do {
        sent = 0;
        for (int i = 0; i < count; i++) {
            size_t turn = send_turn(rk, topic, &inputs[i], &lines);
            sent += turn;
            pending += turn;
            if (transactions && (pending >= COMMIT_BYTES || clock_monotonic() - began_ns > COMMIT_NS)) {
                check(rd_kafka_commit_transaction(rk, -1));
                check(rd_kafka_begin_transaction(rk));
                pending = 0;
                began_ns = clock_monotonic();
            }
        }
    } while (sent > 0);
    return lines;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: bench_kafka BROKERS TOPIC transactions|idempotent KEY=FILE...\n", stderr);
        return 2;
    }
    bool transactions = !strcmp(argv[3], "transactions");
    rd_kafka_t *rk = producer(argv[1], transactions);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
    struct input inputs[64];
    int count = 0;
    while (count < 64 && count + 4 < argc) {
        inputs[count] = open_input(argv[count + 4]);
        count++;
    }
    size_t lines = send_all(rk, topic, inputs, count, transactions);
    if (transactions) {
        check(rd_kafka_commit_transaction(rk, -1));
    } else if (rd_kafka_flush(rk, 60000)) {
        die("flush", "not all was delivered");
    }
    fprintf(stderr, "%zu lines\n", lines);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    return 0;
}
