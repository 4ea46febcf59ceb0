#include "rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "base/regexp.h"
#include "config/units.h"

static bool set(const char *text)
{
    return text[0] != '\0';
}

/* A fault that lies with these two keys (the second may be NULL). */
#define FAULT(fault, first, second, ...)                                                                     \
    ((fault)->keys[0] = (first), (fault)->keys[1] = (second), error_set(&(fault)->why, __VA_ARGS__))

/* -- the others -------------------------------------------------------------------------------- */

static int check_own_files(const struct config *cfg, struct config_fault *fault)
{
    const char *reader = cfg->source == SOURCE_FILES ? "files.include" : "json_file.path";
    int output = cfg->sink == SINK_FILE ? config_follows(cfg, cfg->file_path) : 0;
    int checkpoint = set(cfg->checkpoint_path) ? config_follows(cfg, cfg->checkpoint_path) : 0;
    if (output < 0 || checkpoint < 0) {
        return FAULT(fault, "sink", NULL, "out of memory");
    }
    if (output) {
        return FAULT(
            fault, "file.path", reader,
            "file.path \"%s\" would be read by %s, and each line written would come back; expected it "
            "outside",
            cfg->file_path, reader);
    }
    if (checkpoint) {
        return FAULT(fault, "checkpoint.path", reader,
                     "checkpoint.path \"%s\" would be read by %s; expected it outside", cfg->checkpoint_path,
                     reader);
    }
    return 0;
}

static int check_globs(const struct config *cfg, struct config_fault *fault)
{
    const struct {
        const char *key, *example;
        const struct string_list *globs;
        bool anywhere;
    } lists[] = {
        {"files.include", "a path such as \"/logs/{service}/*.log\"", &cfg->files_include, false},
        {"files.exclude", "one such as \"/logs/*/debug*.log\" or \"*.gz\"", &cfg->files_exclude, true}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct pattern_list patterns = {0};
        struct error why;
        int result = 0;
        for (size_t j = 0; result == 0 && j < lists[i].globs->count; j++) {
            result = pattern_list_add(&patterns, lists[i].globs->items[j], lists[i].anywhere, &why);
        }
        pattern_list_free(&patterns);
        if (result < 0) {
            return FAULT(fault, lists[i].key, NULL, "%s: %s; expected %s", lists[i].key, why.text,
                         lists[i].example);
        }
    }
    return 0;
}

static int check_source(const struct config *cfg, struct config_fault *fault)
{
    if (cfg->source == SOURCE_FILES && cfg->files_include.count == 0) {
        return FAULT(fault, "source", "files.include",
                     "source is \"files\" but files.include is not set; expected globs such as "
                     "[\"/logs/{service}/*.log\"]");
    }
    return check_globs(cfg, fault);
}

static int check_format(const struct config *cfg, struct config_fault *fault)
{
    if (cfg->sink == SINK_KAFKA && cfg->format == FORMAT_PRETTY) {
        return FAULT(fault, "format", "sink",
                     "format is \"pretty\" but sink is \"kafka\"; expected \"json\", \"logfmt\" or \"raw\"");
    }
    return 0;
}

static int check_sink(const struct config *cfg, struct config_fault *fault)
{
    bool local =
        cfg->sink == SINK_FILE || (cfg->sink == SINK_KAFKA && cfg->kafka_delivery == KAFKA_AT_LEAST_ONCE);
    if (cfg->sink == SINK_FILE && !set(cfg->file_path)) {
        return FAULT(fault, "sink", "file.path",
                     "sink is \"file\" but file.path is not set; expected the path of the file to write");
    }
    if (cfg->sink == SINK_KAFKA && !set(cfg->kafka_brokers)) {
        return FAULT(
            fault, "sink", "kafka.brokers",
            "sink is \"kafka\" but kafka.brokers is not set; expected host:port of at least one broker");
    }
    if (local && !set(cfg->checkpoint_path)) {
        return FAULT(
            fault, "checkpoint.path", "sink",
            "checkpoint.path is empty, and sink \"%s\" keeps what is delivered there; expected a path",
            cfg->sink == SINK_FILE ? "file" : "kafka");
    }
    if (cfg->sink == SINK_FILE && !strcmp(cfg->file_path, cfg->checkpoint_path)) {
        return FAULT(fault, "file.path", "checkpoint.path",
                     "file.path and checkpoint.path are both \"%s\"; expected two files", cfg->file_path);
    }
    return 0;
}

static int check_memory(const struct config *cfg, struct config_fault *fault)
{
    char have[UNITS_TEXT_MAX], part[UNITS_TEXT_MAX], need[UNITS_TEXT_MAX];
    size_format(cfg->memory_max, have);
    if (cfg->memory_max / 4 < cfg->batch_bytes) {
        size_format(cfg->batch_bytes, part);
        size_format(cfg->batch_bytes * 4, need);
        return FAULT(fault, "memory_max", "batch.bytes",
                     "memory_max %s is too little for batch.bytes %s; expected four batches: %s or more",
                     have, part, need);
    }
    if (cfg->memory_max / 8 < cfg->line_max) {
        size_format(cfg->line_max, part);
        size_format(cfg->line_max * 8, need);
        return FAULT(fault, "memory_max", "line_max",
                     "memory_max %s is too little for line_max %s; expected eight such lines: %s or more",
                     have, part, need);
    }
    return 0;
}

/* What a bounds check cannot say: both count from 1, or are left to the broker. */
static int check_not_zero(const struct config *cfg, struct config_fault *fault)
{
    if (cfg->kafka_partitions == 0 || cfg->kafka_replication == 0) {
        const char *key = cfg->kafka_partitions == 0 ? "kafka.partitions" : "kafka.replication";
        return FAULT(fault, key, NULL, "%s is 0; expected -1 (as the broker likes) or 1 and more", key);
    }
    return 0;
}

static int check_kafka(const struct config *cfg, struct config_fault *fault)
{
    bool name = set(cfg->kafka_sasl_username), password = set(cfg->kafka_sasl_password);
    if (cfg->kafka_commit_age > cfg->kafka_transaction_timeout / 2) {
        return FAULT(fault, "kafka.commit_age", "kafka.transaction_timeout",
                     "kafka.commit_age is more than half of kafka.transaction_timeout: brokers would abort "
                     "transactions before they are committed; expected a fraction of it");
    }
    if (!strcmp(cfg->kafka_dead_letter_topic, cfg->kafka_positions_topic)) {
        return FAULT(fault, "kafka.dead_letter_topic", "kafka.positions_topic",
                     "kafka.dead_letter_topic and kafka.positions_topic are both \"%s\"; expected two topics",
                     cfg->kafka_positions_topic);
    }
    if (!strcmp(cfg->kafka_overflow_topic, cfg->kafka_positions_topic)) {
        return FAULT(fault, "kafka.overflow_topic", "kafka.positions_topic",
                     "kafka.overflow_topic and kafka.positions_topic are both \"%s\"; expected two topics",
                     cfg->kafka_positions_topic);
    }
    if (!strcmp(cfg->kafka_topic, cfg->kafka_positions_topic)) {
        return FAULT(fault, "kafka.topic", "kafka.positions_topic",
                     "kafka.topic and kafka.positions_topic are both \"%s\"; expected two topics",
                     cfg->kafka_positions_topic);
    }
    if (set(cfg->kafka_sasl_mechanism) && !(name && password)) {
        return FAULT(
            fault, "kafka.sasl_mechanism", NULL,
            "kafka.sasl_mechanism is set but kafka.%s is not; expected both a username and a password",
            name ? "sasl_password" : "sasl_username");
    }
    if (!set(cfg->kafka_sasl_mechanism) && (name || password)) {
        return FAULT(fault, name ? "kafka.sasl_username" : "kafka.sasl_password", NULL,
                     "%s is set but kafka.sasl_mechanism is not; expected \"PLAIN\", \"SCRAM-SHA-256\" or "
                     "\"SCRAM-SHA-512\" there",
                     name ? "kafka.sasl_username" : "kafka.sasl_password");
    }
    return 0;
}

static int check_kafka_tls(const struct config *cfg, struct config_fault *fault)
{
    const struct {
        const char *key, *value;
    } files[] = {{"kafka.tls_ca", cfg->kafka_tls_ca},
                 {"kafka.tls_cert", cfg->kafka_tls_cert},
                 {"kafka.tls_key", cfg->kafka_tls_key},
                 {"kafka.tls_key_password", cfg->kafka_tls_key_password}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (set(files[i].value) && !cfg->kafka_tls) {
            return FAULT(fault, files[i].key, "kafka.tls", "%s is set but kafka.tls is false; expected true",
                         files[i].key);
        }
    }
    if (set(cfg->kafka_tls_cert) != set(cfg->kafka_tls_key)) {
        return FAULT(fault, "kafka.tls_cert", "kafka.tls_key",
                     "only one of kafka.tls_cert and kafka.tls_key is set; expected both or none");
    }
    if (set(cfg->kafka_tls_key_password) && !set(cfg->kafka_tls_key)) {
        return FAULT(fault, "kafka.tls_key_password", "kafka.tls_key",
                     "kafka.tls_key_password is set but kafka.tls_key is not; expected the file it opens");
    }
    return 0;
}

static int check_metrics(const struct config *cfg, struct config_fault *fault)
{
    const char *colon = strrchr(cfg->metrics_listen, ':');
    int port = colon ? atoi(colon + 1) : 1;
    if (port < 1 || port > 65535) {
        return FAULT(fault, "metrics.listen", NULL,
                     "metrics.listen names port %s; expected one from 1 to 65535", colon + 1);
    }
    return 0;
}

/* What the encoder writes itself: a line would have the key twice. */
static bool is_key_of_records(const char *key, enum format_kind format)
{
    static const char *const keys[] = {"time",  "service", "stream", "log",    "project",   "container",
                                       "id",    "host",    "task",   "node",   "namespace", "pod",
                                       "image", "labels",  "level",  "partial"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!strcmp(keys[i], key)) {
            return true;
        }
    }
    return format == FORMAT_LOGFMT && !strcmp(key, "msg");
}

static int check_redact(const struct config *cfg, struct config_fault *fault)
{
    struct error why;
    for (size_t i = 0; i < cfg->redact.count; i++) {
        const char *text = cfg->redact.items[i];
        struct regexp *re = regexp_new(text, "redact", &why);
        int result = re ? regexp_refuse_empty(re, text, "redact", &why) : -1;
        regexp_free(re);
        if (result < 0) {
            return FAULT(fault, "redact", NULL, "%s", why.text);
        }
    }
    return 0;
}

static int check_shaping(const struct config *cfg, struct config_fault *fault)
{
    bool first = set(cfg->multiline_first), next = set(cfg->multiline_next);
    bool regex = !strcmp(cfg->multiline_rule, "regex");
    if (regex && !first && !next) {
        return FAULT(fault, "multiline.rule", NULL,
                     "multiline.rule is \"regex\" but there is none; expected multiline.first, "
                     "multiline.next or both");
    }
    if (!regex && (first || next)) {
        return FAULT(fault, first ? "multiline.first" : "multiline.next", "multiline.rule",
                     "%s is set but multiline.rule is \"%s\"; expected \"regex\" there",
                     first ? "multiline.first" : "multiline.next", cfg->multiline_rule);
    }
    if (is_key_of_records(cfg->parse_json, cfg->format)) {
        return FAULT(
            fault, "parse_json", NULL,
            "parse_json is \"%s\", which each record has already; expected another key, such as \"message\"",
            cfg->parse_json);
    }
    if (cfg->rate_burst > 0 && cfg->rate_limit == 0) {
        return FAULT(fault, "rate_burst", "rate_limit",
                     "rate_burst is set but rate_limit is 0; expected a limit, too");
    }
    return 0;
}

int config_rules_of_some(const struct config *cfg, struct config_fault *fault)
{
    return check_format(cfg, fault) < 0 || check_kafka(cfg, fault) < 0 || check_shaping(cfg, fault) < 0 ||
                   check_redact(cfg, fault) < 0
               ? -1
               : 0;
}

int config_rules(const struct config *cfg, struct config_fault *fault)
{
    int (*const checks[])(const struct config *, struct config_fault *) = {
        check_source, check_sink,      check_format,  check_own_files, check_memory, check_not_zero,
        check_kafka,  check_kafka_tls, check_metrics, check_shaping,   check_redact,
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i](cfg, fault) < 0) {
            return -1;
        }
    }
    return 0;
}
