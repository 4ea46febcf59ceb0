/* The configuration: defaults, then a JSON file, then environment variables; checked as a whole.
 *
 * One table (config/keys.c) describes every key: its path in the JSON file, its type, default and bounds, its
 * help, whether it is a secret. The parser, the environment, `sidetail check`, config/config.schema.json, the
 * man page and the tables in config/README.md (make docs, make man) go by it. A new key is a field here and a
 * line there; make docs fails until it is in one of the tables.
 *
 * Environment: path `batch.bytes` → SIDETAIL_BATCH_BYTES. Arrays are separated by commas (`\,` is a comma
 * inside an element), maps are JSON. With the suffix _FILE the value is read from that file, its last newline
 * cut. An unknown name is an error, but for those that Kubernetes sets for a service named sidetail.
 *
 * Sizes are bytes: a number, or a string with KiB, MiB, GiB (kB, MB, GB are powers of ten). Durations are
 * nanoseconds here; in JSON a string with ms, s, m, h. Strings are never NULL: unset is "". */
#ifndef SIDETAIL_CONFIG_H
#define SIDETAIL_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

enum source_kind { SOURCE_JSON_FILE, SOURCE_FILES, SOURCE_DOCKER_API };
enum sink_kind { SINK_STDOUT, SINK_FILE, SINK_KAFKA };
enum format_kind { FORMAT_JSON, FORMAT_LOGFMT, FORMAT_RAW, FORMAT_PRETTY };
#define FORMAT_COUNT 4
enum start_at { START_BEGINNING, START_END };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum follow_links { LINKS_INSIDE, LINKS_ALL, LINKS_NONE };
enum file_format { FILE_AUTO, FILE_JSON_FILE, FILE_PLAIN, FILE_CRI };
enum kafka_key { KAFKA_KEY_CONTAINER, KAFKA_KEY_SERVICE, KAFKA_KEY_NONE };
enum kafka_delivery { KAFKA_EXACTLY_ONCE, KAFKA_AT_LEAST_ONCE };
enum kafka_headers { KAFKA_HEADERS_ALL, KAFKA_HEADERS_NEEDED };
enum kafka_oversize { KAFKA_CUT, KAFKA_DEAD_LETTER };
enum kafka_compression { KAFKA_LZ4, KAFKA_ZSTD, KAFKA_SNAPPY, KAFKA_GZIP, KAFKA_NONE };

struct string_list {
    char **items; /* owned */
    size_t count;
};

/* Globs (fnmatch); `labels` are `key` or `key=value`, both globs. */
struct selection {
    struct string_list services, containers, labels;
};

/* Settings for some: those of `set` take the place of the configuration's for the containers that `match` fits. Each of
 * its three kinds that has globs must fit; where several overrides fit, later ones go over earlier ones. */
struct override {
    struct selection match;
    const json_t *set; /* keys and their values as in the file, checked; borrowed from the configuration */
    int format;        /* the enum format_kind that it sets, or -1 */
    const char *topic; /* the kafka.topic that it sets, or NULL; borrowed from `set` */
};
#define OVERRIDES_MAX 64 /* so that a uint64_t can tell which ones fit: bit i for overrides[i] */

struct config {
    enum source_kind source;              /* source: json-file | files | docker-api */
    char *json_file_path;                 /* json_file.path: /var/lib/docker/containers */
    struct string_list files_include;     /* files.include: globs with a named part: /logs/{service}/?*.log */
    struct string_list files_exclude;     /* files.exclude */
    enum file_format files_format;        /* files.format: auto */
    enum follow_links files_follow_links; /* files.follow_links: inside | all | none */
    int64_t rescan;                       /* rescan: 10s, how often all directories are listed again */
    char *docker_host;          /* docker.host: "" → DOCKER_HOST, a context, unix:///var/run/docker.sock */
    char *docker_cert_path;     /* docker.cert_path: "" → DOCKER_CERT_PATH; ca.pem, cert.pem, key.pem */
    bool docker_tls_verify;     /* docker.tls_verify: DOCKER_TLS_VERIFY, default true */
    int64_t docker_max_opening; /* docker.max_opening: 16 streams opening at once */

    enum start_at start_at; /* start_at: beginning | end, for what is there and unknown at start */
    int64_t line_max;       /* line_max: bytes, 1 MiB; from 16 KiB to 16 MiB */
    int64_t partial_wait;   /* partial_wait: how long the last line of a log that has ended may go on, 5s */
    int64_t hold_files;     /* hold_files: rotated files of one feed held open while unread, 100 */
    struct selection include, exclude; /* include.services …, exclude.services … */
    struct string_list labels;         /* labels: globs of the label keys to add to records */
    /* service: of files whose path names none; "" → the path's container, else the file's name */
    char *service;
    char *host; /* host: "" → the host's name */

    enum sink_kind sink;     /* sink: stdout | file | kafka */
    enum format_kind format; /* format: json | logfmt | raw | pretty */
    enum color color;        /* color: auto | always | never */
    bool pretty_json;        /* pretty.json: JSON objects are shown as level, message and fields */
    int64_t batch_bytes;     /* batch.bytes: 256 KiB */
    int64_t batch_lines;     /* batch.lines: 10000 */
    int64_t batch_age;       /* batch.age: how long its first line waits */
    int64_t memory_max;      /* memory_max: 32 MiB, 8 MiB at the least */

    char *file_path;           /* file.path */
    int64_t file_rotate_bytes; /* file.rotate_bytes: 0 never */
    int64_t file_rotate_age;   /* file.rotate_age: 0 never */
    int64_t file_keep;         /* file.keep: rotated files kept, 5 */
    bool file_compress;        /* file.compress: gzip rotated files */

    /* checkpoint.path: /var/lib/sidetail/checkpoint.json; "" keeps none, which stdout allows and Kafka
     * exactly once */
    char *checkpoint_path;
    int64_t checkpoint_interval;  /* checkpoint.interval: 1s */
    int64_t checkpoint_retention; /* checkpoint.retention: 168h */

    char *kafka_brokers; /* kafka.brokers: host:port,… */
    char *kafka_topic;   /* kafka.topic: "logs.{service}"; {service} {project} {container} {host} {stream} */
    enum kafka_key kafka_key;                 /* kafka.key: container | service | none */
    enum kafka_headers kafka_headers;         /* kafka.headers: all | needed */
    enum kafka_delivery kafka_delivery;       /* kafka.delivery: exactly-once | at-least-once */
    char *kafka_identity;                     /* kafka.identity: "" → swarm node id, else host */
    char *kafka_positions_topic;              /* kafka.positions_topic: sidetail-positions */
    enum kafka_compression kafka_compression; /* kafka.compression: lz4 */
    int64_t kafka_commit_age;                 /* kafka.commit_age: 200ms */
    int64_t kafka_commit_pause;               /* kafka.commit_pause: 1s */
    int64_t kafka_commit_bytes;               /* kafka.commit_bytes: 16 MiB */
    int64_t kafka_transaction_timeout;        /* kafka.transaction_timeout: 60s */
    enum kafka_oversize kafka_oversize;       /* kafka.oversize: cut | dead-letter */
    int64_t kafka_topics_max;                 /* kafka.topics_max: 1000 */
    char *kafka_overflow_topic;               /* kafka.overflow_topic: sidetail-overflow */
    char *kafka_dead_letter_topic;            /* kafka.dead_letter_topic: sidetail-dead-letters */
    int64_t kafka_partitions;  /* kafka.partitions: for topics it creates; -1 the broker's default */
    int64_t kafka_replication; /* kafka.replication: -1 the broker's default */
    bool kafka_tls;            /* kafka.tls */
    char *kafka_tls_ca, *kafka_tls_cert, *kafka_tls_key; /* kafka.tls_ca …: paths */
    char *kafka_tls_key_password;                        /* kafka.tls_key_password: secret */
    char *kafka_sasl_mechanism; /* kafka.sasl_mechanism: "" | PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512 */
    char *kafka_sasl_username;  /* kafka.sasl_username */
    char *kafka_sasl_password;  /* kafka.sasl_password: secret */
    /* kafka.properties: {"librdkafka property": "value"}; owned object, may be empty */
    json_t *kafka_properties;

    char *metrics_listen;       /* metrics.listen: 127.0.0.1:9464; "" for none */
    bool metrics_listen_set;    /* said by the user, not by default */
    enum log_level log_level;   /* log.level: debug | info | warn | error */
    enum log_format log_format; /* log.format: logfmt | json */

    /* Shaping, all off by default; see shape.h. */
    char *multiline_rule;      /* multiline.rule: "" | java | python | go | node | auto | regex */
    char *multiline_first;     /* multiline.first: regex of a first line */
    char *multiline_next;      /* multiline.next: regex of a line that goes on */
    int64_t multiline_wait;    /* multiline.wait: 1s without a further line ends a group */
    char *parse_json;          /* parse_json: key under which a JSON payload is put as an object, "" off */
    bool detect_level;         /* detect_level */
    struct string_list redact; /* redact: regexes */
    char *redact_with;         /* redact_with: "[redacted]" */
    struct string_list drop, keep; /* drop, keep: regexes */
    int64_t rate_limit;            /* rate_limit: lines a second for one container, 0 off */
    int64_t rate_burst;            /* rate_burst: lines, 0: as rate_limit */

    struct string_list hints_allow; /* hints.allow: globs of the keys that labels may set */
    json_t *overrides_json;         /* overrides: as they were given; an owned array */
    struct override *overrides;     /* the same, taken apart by config_load */
    size_t override_count;
    bool borrows; /* of config_overridden: owns only what an override may set */
    /* Likewise: how many of `drop` and `redact` stand before those of labels; whether labels join lines that the
     * operator does not, and whether they gave expressions for that. */
    struct {
        bool any, joins, multiline;
        size_t drop, redact;
    } hinted;
};

/* Defaults, file (NULL: none, or SIDETAIL_CONFIG), environment. NULL on error: err says file:line:column,
 * what was found and what was expected; an unknown key names the nearest known one. */
struct config *config_load(const char *path, struct error *err);
struct config *config_defaults(void); /* NULL: memory */
void config_free(struct config *cfg);

/* The effective configuration as JSON, secrets as "***". New reference. */
json_t *config_dump(const struct config *cfg);

/* A copy in which those overrides are in force: bit i for overrides[i]; bits of none do not count. It has no
 * overrides itself. `hints` is what config_hints gave, or NULL: it comes last, adds to lists and takes no limit away.
 * The copy borrows what no override may set, and so goes first. NULL: memory. */
struct config *config_overridden(const struct config *cfg, uint64_t overrides, const char *hints);
/* What a set of checked keys and values says of format and topic; borrows it, and leaves the match empty. */
void config_override_read(struct override *o, const json_t *set);
/* Writes what each override does, a line each: `overrides[0] for services web-*: drop is ["^DEBUG"] in place of []`.
 * 0, or -1 when memory is out or it cannot be written. */
int config_overrides_tell(const struct config *cfg, FILE *out);

#define CONFIG_READ_WAIT (180 * NS_PER_MS) /* at most */

/* How long a line may wait in all until its batch goes out, in ns. Nobody sees a line before its transaction is committed:
 * there a batch may as well wait for others. Reading does not: a log may be truncated in place meanwhile. */
static inline int64_t config_batch_age(const struct config *cfg)
{
    bool commits = cfg->sink == SINK_KAFKA && cfg->kafka_delivery == KAFKA_EXACTLY_ONCE;
    int64_t age = commits ? cfg->kafka_commit_age / 4 : 0;
    return age > cfg->batch_age ? age : cfg->batch_age;
}

/* So many ns of batch.age are spent before a log file is read, the others in the batch. 0: it is read at once. */
static inline int64_t config_read_wait(const struct config *cfg)
{
    bool waits = cfg->source != SOURCE_DOCKER_API && cfg->batch_age >= 8 * NS_PER_MS;
    int64_t most = cfg->batch_age / 10 * 9;
    return !waits ? 0 : most < CONFIG_READ_WAIT ? most : CONFIG_READ_WAIT;
}

/* So many of those pass, at most, before it is known that it was written to. */
static inline int64_t config_told_wait(const struct config *cfg)
{
    return config_read_wait(cfg) / 8;
}

/* A line that is read now may have been written so long ago, in ns, for the sake of batches. */
static inline int64_t config_waited(const struct config *cfg)
{
    return config_read_wait(cfg) + config_told_wait(cfg);
}

/* Would the source read the file at `path`, by that name? 1, 0, or -1 when memory is out. */
int config_follows(const struct config *cfg, const char *path);

/* The first key that differs and that a running process cannot take up, such as "file.path": source and sink
 * are set up once. NULL when all that differs can be taken up by a reload. */
const char *config_needs_restart(const struct config *running, const struct config *fresh);

#endif
