/* The table of keys, and nothing else. */
#include "config/keys.h"

#include "base/clock.h"
#include "config/config.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define MS     NS_PER_MS
#define SECOND NS_PER_S
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* A field's offset; does not compile when the field is of another type than its key's. */
#define AT(field, type)                                                                                      \
    (offsetof(struct config, field) + 0 * sizeof(_Generic(&((struct config *)0)->field, type * : 1)))
#define AT_ENUM(field)                                                                                       \
    (offsetof(struct config, field) +                                                                        \
     0 * sizeof(char[sizeof(((struct config *)0)->field) == sizeof(int) ? 1 : -1]))

#define STRING(p, field, text, fl, about)                                                                    \
    {                                                                                                        \
        .path = p, .type = KEY_STRING, .offset = AT(field, char *), .fallback = text, .flags = fl,           \
        .help = about                                                                                        \
    }
#define MATCH(p, field, text, regex, words, fl, about)                                                       \
    {                                                                                                        \
        .path = p, .type = KEY_STRING, .offset = AT(field, char *), .fallback = text, .pattern = regex,      \
        .expected = words, .flags = fl, .help = about                                                        \
    }
#define CHOICE(p, field, text, of, fl, about)                                                                \
    {                                                                                                        \
        .path = p, .type = KEY_STRING, .offset = AT(field, char *), .fallback = text, .names = of,           \
        .flags = fl, .help = about                                                                           \
    }
#define BOOL(p, field, text, fl, about)                                                                      \
    {                                                                                                        \
        .path = p, .type = KEY_BOOL, .offset = AT(field, bool), .fallback = text, .flags = fl, .help = about \
    }
#define NUMBER(kind, p, field, text, least, most, fl, about)                                                 \
    {                                                                                                        \
        .path = p, .type = kind, .offset = AT(field, int64_t), .fallback = text, .min = least, .max = most,  \
        .flags = fl, .help = about                                                                           \
    }
#define INTEGER(...)  NUMBER(KEY_INTEGER, __VA_ARGS__)
#define SIZE(...)     NUMBER(KEY_SIZE, __VA_ARGS__)
#define DURATION(...) NUMBER(KEY_DURATION, __VA_ARGS__)
#define ENUM(p, field, text, of, fl, about)                                                                  \
    {                                                                                                        \
        .path = p, .type = KEY_ENUM, .offset = AT_ENUM(field), .fallback = text, .names = of, .flags = fl,   \
        .help = about                                                                                        \
    }
#define LIST(p, field, text, fl, about)                                                                      \
    {                                                                                                        \
        .path = p, .type = KEY_LIST, .offset = AT(field, struct string_list), .fallback = text, .flags = fl, \
        .help = about                                                                                        \
    }
#define MAP(p, field, text, fl, about)                                                                       \
    {                                                                                                        \
        .path = p, .type = KEY_MAP, .offset = AT(field, json_t *), .fallback = text, .flags = fl,            \
        .help = about                                                                                        \
    }

#define OBJECTS(p, field, text, fl, about)                                                                   \
    {                                                                                                        \
        .path = p, .type = KEY_OBJECTS, .offset = AT(field, json_t *), .fallback = text, .flags = fl,        \
        .help = about                                                                                        \
    }

#define NAMES(name, ...) static const char *const name[] = {__VA_ARGS__, NULL}

NAMES(
    sources, [SOURCE_JSON_FILE] = "json-file", [SOURCE_FILES] = "files", [SOURCE_DOCKER_API] = "docker-api");
NAMES(sinks, [SINK_STDOUT] = "stdout", [SINK_FILE] = "file", [SINK_KAFKA] = "kafka");
NAMES(formats, [FORMAT_JSON] = "json", [FORMAT_LOGFMT] = "logfmt", [FORMAT_RAW] = "raw",
      [FORMAT_PRETTY] = "pretty");
NAMES(starts, [START_BEGINNING] = "beginning", [START_END] = "end");
NAMES(colors, [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never");
NAMES(file_formats, [FILE_AUTO] = "auto", [FILE_JSON_FILE] = "json-file", [FILE_PLAIN] = "plain",
      [FILE_CRI] = "cri");
NAMES(follow_links, [LINKS_INSIDE] = "inside", [LINKS_ALL] = "all", [LINKS_NONE] = "none");
NAMES(message_keys, [KAFKA_KEY_CONTAINER] = "container", [KAFKA_KEY_SERVICE] = "service",
      [KAFKA_KEY_NONE] = "none");
NAMES(message_headers, [KAFKA_HEADERS_ALL] = "all", [KAFKA_HEADERS_NEEDED] = "needed");
NAMES(deliveries, [KAFKA_EXACTLY_ONCE] = "exactly-once", [KAFKA_AT_LEAST_ONCE] = "at-least-once");
NAMES(compressions, [KAFKA_LZ4] = "lz4", [KAFKA_ZSTD] = "zstd", [KAFKA_SNAPPY] = "snappy",
      [KAFKA_GZIP] = "gzip", [KAFKA_NONE] = "none");
NAMES(oversizes, [KAFKA_CUT] = "cut", [KAFKA_DEAD_LETTER] = "dead-letter");
NAMES(sasl_mechanisms, "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512");
NAMES(levels, [LEVEL_DEBUG] = "debug", [LEVEL_INFO] = "info", [LEVEL_WARN] = "warn", [LEVEL_ERROR] = "error");
NAMES(log_formats, [LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json");
NAMES(multiline_rules, "", "java", "python", "go", "node", "auto", "regex");

#define TOPIC_WORDS "the name of a topic: letters, digits, '.', '_' and '-'"

const struct key config_keys[] = {
    ENUM("source", source, "json-file", sources, KEY_RESTART,
         "Where lines come from: the logs of Docker's drivers json-file and local, files in a volume, or the "
         "Docker Engine's API."),
    MATCH("json_file.path", json_file_path, "/var/lib/docker/containers", "^/", "an absolute path",
          KEY_RESTART, "Docker's containers directory, for source json-file."),
    LIST("files.include", files_include, "", KEY_RESTART | KEY_GLOB,
         "Globs of the files to follow, for source files. A named part such as {service} becomes a tag: "
         "/logs/{service}/*.log. {a,b} means either, and ** any directories."),
    LIST("files.exclude", files_exclude, "", KEY_RESTART | KEY_GLOB,
         "Globs of files to leave out. One that does not begin with / holds in every directory."),
    ENUM("files.format", files_format, "auto", file_formats, KEY_RESTART,
         "The format of the files; auto detects it from a file's first line."),
    ENUM("files.follow_links", files_follow_links, "inside", follow_links, KEY_RESTART,
         "Which links are followed: those that stay inside the directory before a pattern's first wildcard, "
         "or lead to what is in the same mount and everybody may read; all; or none. Whoever may write to a "
         "directory can make a link to any file; with all, the collector ships it."),
    DURATION(
        "rescan", rescan, "10s", SECOND, HOUR, KEY_RESTART,
        "How often source files looks through all directories for what is new, though nothing told of it, as "
        "on network file systems."),
    MATCH("docker.host", docker_host, "", "^$|^(unix:///|tcp://).",
          "unix:///path or tcp://host:port, or \"\"", KEY_RESTART | KEY_ADDRESS,
          "The Engine's address, for source docker-api. Unset: DOCKER_HOST, else the docker context in use "
          "(DOCKER_CONTEXT, ~/.docker/config.json), else unix:///var/run/docker.sock."),
    STRING("docker.cert_path", docker_cert_path, "", KEY_RESTART,
           "Directory with ca.pem, cert.pem and key.pem for TLS to the Engine. Unset: DOCKER_CERT_PATH, or "
           "that of the docker context."),
    BOOL("docker.tls_verify", docker_tls_verify, "true", KEY_RESTART,
         "Verifies the Engine's certificate. A docker context in use can turn this off. Unset, and without a "
         "context: false if DOCKER_TLS_VERIFY is set but empty, else true."),
    INTEGER("docker.max_opening", docker_max_opening, "16", 1, 1024, KEY_RESTART,
            "How many log streams may be opening at the same time."),
    ENUM("start_at", start_at, "beginning", starts, KEY_RESTART,
         "Where the first start begins in logs that exist but have no position yet. Logs that appear later, "
         "be it while sidetail is stopped, are always read from the beginning."),
    SIZE("line_max", line_max, "1MiB", 16 * KIB, 16 * MIB, KEY_RESTART,
         "Longer lines are cut into pieces that are marked partial."),
    DURATION(
        "partial_wait", partial_wait, "5s", MS, HOUR, 0,
        "After so long without a further byte, the unfinished last line of a file that was deleted, or of a "
        "container that has ended, is delivered as it is."),
    INTEGER("hold_files", hold_files, "100", 1, 100000, KEY_RESTART,
            "How many rotated files of one container are held open until they are read."),
    LIST("include.services", include.services, "", 0,
         "Globs: only these services are collected. Empty: all."),
    LIST("include.containers", include.containers, "", 0, "Globs: only containers with these names."),
    LIST("include.labels", include.labels, "", 0,
         "Globs, key or key=value: only containers with one of these labels."),
    LIST("exclude.services", exclude.services, "", 0, "Globs: these services are left out."),
    LIST("exclude.containers", exclude.containers, "", 0, "Globs: containers with these names are left out."),
    LIST("exclude.labels", exclude.labels, "", 0,
         "Globs, key or key=value: containers with one of these labels are left out."),
    LIST("labels", labels, "", 0,
         "Globs of label keys: a container's labels with these keys are added to each record."),
    STRING("service", service, "", 0,
           "The service of files whose path names none. Unset: the container in the path, else the file's "
           "name."),
    STRING("host", host, "", 0, "The host named in each record. Unset: this host's name."),

    ENUM("sink", sink, "stdout", sinks, KEY_RESTART, "Where lines go."),
    ENUM("format", format, "json", formats, KEY_SOME | KEY_HINT,
         "How they are written: json, one object per line; logfmt, key=value pairs; raw, the text alone; "
         "pretty, for people."),
    ENUM("color", color, "auto", colors, 0, "Colors of format pretty; auto: on a terminal."),
    BOOL("pretty.json", pretty_json, "true", 0,
         "Format pretty and sidetail tail show a line that is a JSON object as level, message and fields. "
         "false: as it was written."),
    SIZE("batch.bytes", batch_bytes, "256KiB", 4 * KIB, 64 * MIB, 0,
         "A batch goes out when it holds this many bytes."),
    INTEGER("batch.lines", batch_lines, "10000", 1, 1000000, 0,
            "A batch goes out when it holds this many lines."),
    DURATION(
        "batch.age", batch_age, "0s", 0, MINUTE, 0,
        "A batch goes out when its first line has waited this long and everything that could be read by "
        "then is in it. To Kafka: at least 2ms, exactly once a quarter of kafka.commit_age. Nine tenths "
        "of it, but no more than 180ms, logs that are files wait to be read: the longer, the less CPU a line "
        "takes."),
    SIZE("memory_max", memory_max, "32MiB", 8 * MIB, 64 * GIB, 0,
         "Reading stops before more memory than this is in use, and resumes when the sink has caught up."),

    STRING("file.path", file_path, "", KEY_RESTART, "The file to write, for sink file."),
    SIZE("file.rotate_bytes", file_rotate_bytes, "0", 0, 1024 * GIB, KEY_RESTART,
         "The file is rotated before it grows beyond this size. 0: never."),
    DURATION("file.rotate_age", file_rotate_age, "0s", 0, 87600 * HOUR, KEY_RESTART,
             "The file is rotated when it is this old. 0s: never."),
    INTEGER("file.keep", file_keep, "5", 1, 100000, KEY_RESTART, "How many rotated files are kept."),
    BOOL("file.compress", file_compress, "false", KEY_RESTART, "Compresses rotated files with gzip."),

    STRING("checkpoint.path", checkpoint_path, "/var/lib/sidetail/checkpoint.json", KEY_RESTART,
           "The file that records what has been delivered. Empty: no file, which works with sink stdout, and "
           "with Kafka exactly once, which keeps its positions in a topic."),
    DURATION("checkpoint.interval", checkpoint_interval, "1s", 10 * MS, HOUR, 0,
             "How often the checkpoint is written while lines flow."),
    DURATION("checkpoint.retention", checkpoint_retention, "168h", SECOND, 87600 * HOUR, KEY_RESTART,
             "How long positions are kept after their container or file is gone."),

    MATCH("kafka.brokers", kafka_brokers, "", "^$|^[^, ]+(,[^, ]+)*$",
          "host:port, several separated by commas", KEY_RESTART,
          "Brokers to connect to first, for sink kafka: host:port,host:port."),
    MATCH("kafka.topic", kafka_topic, "logs.{service}",
          "^([A-Za-z0-9._-]|[{](service|project|container|host|stream)[}])+$",
          "the name of a topic, in which {service}, {project}, {container}, {host} and {stream} may stand",
          KEY_RESTART | KEY_SOME | KEY_HINT,
          "Topic of the lines; {service}, {project}, {container}, {host} and {stream} are filled in."),
    ENUM("kafka.key", kafka_key, "container", message_keys, KEY_RESTART,
         "Key of the messages; container keeps each container's lines in order."),
    ENUM("kafka.headers", kafka_headers, "all", message_headers, KEY_RESTART,
         "Headers of the messages. needed: none where the value is JSON whose fields say the same, which "
         "spares some 100 bytes a message, and processor time."),
    ENUM(
        "kafka.delivery", kafka_delivery, "exactly-once", deliveries, KEY_RESTART,
        "exactly-once: lines and positions in one transaction. at-least-once: an idempotent producer and the "
        "local checkpoint."),
    STRING("kafka.identity", kafka_identity, "", KEY_RESTART,
           "The name of this collector. It stays the same across restarts, and no other collector may have "
           "it. Unset: the swarm node's id, else the host; exactly-once refuses a host name that is the "
           "container's own id."),
    MATCH("kafka.positions_topic", kafka_positions_topic, "sidetail-positions", "^[A-Za-z0-9._-]{1,249}$",
          TOPIC_WORDS, KEY_RESTART, "Compacted topic of the positions, created if missing."),
    ENUM("kafka.compression", kafka_compression, "lz4", compressions, KEY_RESTART,
         "Compression of messages."),
    DURATION("kafka.commit_age", kafka_commit_age, "200ms", 10 * MS, 5 * SECOND, KEY_RESTART,
             "A transaction is committed when its first line is this old. Batches wait for lines a quarter "
             "of it."),
    DURATION(
        "kafka.commit_pause", kafka_commit_pause, "1s", 0, 5 * SECOND, KEY_RESTART,
        "Transactions of less than 256KiB are committed so far apart, at the least, but at most half of "
        "kafka.transaction_timeout: a trickle costs the brokers less. A line that comes after such a pause "
        "waits for kafka.commit_age alone."),
    SIZE("kafka.commit_bytes", kafka_commit_bytes, "16MiB", 64 * KIB, GIB, KEY_RESTART,
         "A transaction is committed when it holds this many bytes, or three quarters of the batches that "
         "memory_max allows."),
    DURATION("kafka.transaction_timeout", kafka_transaction_timeout, "60s", SECOND, 15 * MINUTE, KEY_RESTART,
             "The broker aborts a transaction that has been open this long."),
    ENUM("kafka.oversize", kafka_oversize, "cut", oversizes, KEY_RESTART,
         "What happens to a line that is too long for the broker: it is cut and marked partial, or it goes "
         "to the dead-letter topic."),
    MATCH("kafka.dead_letter_topic", kafka_dead_letter_topic, "sidetail-dead-letters",
          "^[A-Za-z0-9._-]{1,249}$", TOPIC_WORDS, KEY_RESTART,
          "Topic for lines that are too long for the broker."),
    INTEGER("kafka.topics_max", kafka_topics_max, "1000", 1, 100000, KEY_RESTART,
            "Topics that lines go to at once. Those of a service that would need a further one go to "
            "kafka.overflow_topic."),
    MATCH("kafka.overflow_topic", kafka_overflow_topic, "sidetail-overflow", "^[A-Za-z0-9._-]{1,249}$",
          TOPIC_WORDS, KEY_RESTART,
          "Topic for lines whose own topic would be one more than kafka.topics_max."),
    INTEGER("kafka.partitions", kafka_partitions, "-1", -1, 100000, KEY_RESTART,
            "Partitions of topics that sidetail creates. -1: the broker's default."),
    INTEGER("kafka.replication", kafka_replication, "-1", -1, 32767, KEY_RESTART,
            "Replicas of topics that sidetail creates. -1: the broker's default."),
    BOOL("kafka.tls", kafka_tls, "false", KEY_RESTART, "Connects to the brokers over TLS."),
    STRING("kafka.tls_ca", kafka_tls_ca, "", KEY_RESTART,
           "File of the CA certificates to verify the brokers with. Unset: the system's."),
    STRING("kafka.tls_cert", kafka_tls_cert, "", KEY_RESTART,
           "File of the client's certificate. One that is renewed there is taken up."),
    STRING("kafka.tls_key", kafka_tls_key, "", KEY_RESTART, "File of the client's private key."),
    STRING("kafka.tls_key_password", kafka_tls_key_password, "", KEY_RESTART | KEY_SECRET,
           "Password of the private key."),
    CHOICE("kafka.sasl_mechanism", kafka_sasl_mechanism, "", sasl_mechanisms, KEY_RESTART,
           "How to log in to the brokers. Empty: no login. SCRAM with Kafka 4.0 and newer needs librdkafka "
           "2.6.1: the image and Debian 13 have it, Debian 12 does not."),
    STRING("kafka.sasl_username", kafka_sasl_username, "", KEY_RESTART, "User to log in as."),
    STRING("kafka.sasl_password", kafka_sasl_password, "", KEY_RESTART | KEY_SECRET, "The user's password."),
    MAP("kafka.properties", kafka_properties, "", KEY_RESTART,
        "Further properties of librdkafka, by their own names. Checked at startup."),

    MATCH("metrics.listen", metrics_listen, "127.0.0.1:9464", "^$|^([^:]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$",
          "address:port such as 127.0.0.1:9464, [::1]:9464 or *:9464, or \"\" for none", KEY_RESTART,
          "Where the page (/), /status, /metrics, /healthz and /readyz are served; *:9464 is every address. "
          "Empty: nowhere."),
    ENUM("log.level", log_level, "info", levels, 0,
         "The lowest level that the collector's own log shows. It goes to stderr."),
    ENUM("log.format", log_format, "logfmt", log_formats, 0, "The format of the collector's own log."),

    CHOICE("multiline.rule", multiline_rule, "", multiline_rules, KEY_SOME | KEY_HINT,
           "Joins lines that belong together, such as stack traces: by a language's rules, by all of them "
           "(auto), or by regex. Empty: off."),
    STRING("multiline.first", multiline_first, "", KEY_REGEX | KEY_SOME | KEY_HINT,
           "With rule regex: matches the first line of a group."),
    STRING("multiline.next", multiline_next, "", KEY_REGEX | KEY_SOME | KEY_HINT,
           "With rule regex: matches a line that continues the group."),
    DURATION("multiline.wait", multiline_wait, "1s", MS, MINUTE, KEY_SOME | KEY_HINT,
             "A group ends when no further line comes for this long."),
    STRING("parse_json", parse_json, "", KEY_SOME | KEY_HINT,
           "Adds a line that is a JSON object to the record, as an object under this key. Empty: off."),
    BOOL("detect_level", detect_level, "false", KEY_SOME | KEY_HINT, "Adds the level found in the line."),
    LIST("redact", redact, "", KEY_REGEX | KEY_SOME | KEY_HINT,
         "Regexes (PCRE2): whatever matches is replaced."),
    STRING("redact_with", redact_with, "[redacted]", KEY_SOME, "The text that replaces a match."),
    LIST("drop", drop, "", KEY_REGEX | KEY_SOME | KEY_HINT,
         "Regexes (PCRE2): a line that matches any of them is dropped and counted."),
    LIST("keep", keep, "", KEY_REGEX | KEY_SOME,
         "Regexes (PCRE2): a line that matches none of them is dropped and counted."),
    INTEGER("rate_limit", rate_limit, "0", 0, 1000000000, KEY_SOME | KEY_HINT,
            "Lines per second that one container may write; more are dropped, counted and reported. 0: no "
            "limit."),
    INTEGER("rate_burst", rate_burst, "0", 0, 1000000000, KEY_SOME | KEY_HINT,
            "Lines that may come at once; the bucket refills at rate_limit. 0: the same as rate_limit."),
    LIST("hints.allow", hints_allow, "multiline.*,parse_json,detect_level,drop,redact,rate_limit,rate_burst",
         0,
         "Globs of the keys that a container may set for its own lines by its labels sidetail.KEY: those of "
         "an "
         "override but keep and redact_with. Empty: labels set nothing."),
    OBJECTS(
        "overrides", overrides_json, "", 0,
        "Settings for some containers: objects with match (globs of services, containers, labels) and set "
        "(multiline, parse_json, detect_level, redact, redact_with, drop, keep, rate_limit, rate_burst, "
        "format, kafka.topic). Later ones go over earlier ones."),
    {.path = NULL},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]) - 1;
