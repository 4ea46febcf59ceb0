/* Counters of the whole process. Loop thread only (a thread of a sink hands its numbers over to the loop). */
#ifndef SIDETAIL_BASE_METRICS_H
#define SIDETAIL_BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/stream.h"

/* One service's counters; found by name, bounded in number: past METRICS_SERVICES_MAX all others share
 * "_other". */
struct stats {
    uint64_t lines_in[STREAM_COUNT], bytes_in[STREAM_COUNT];   /* records taken, bytes of their text */
    uint64_t lines_out[STREAM_COUNT], bytes_out[STREAM_COUNT]; /* records acknowledged, bytes as encoded */
    uint64_t lag_bytes;                                        /* written by the service and not yet read */
    int64_t newest_ns; /* time of the newest line taken (wall clock) */
};
#define METRICS_SERVICES_MAX 1000

/* Never NULL, and never freed. Names over 255 bytes are one where their first 255 are. */
struct stats *metrics_service(const char *service);

/* Everything else, one X each: name, Prometheus type, help. Each is a uint64_t in `metrics`. */
#define METRICS(X)                                                                                           \
    X(malformed_lines, counter, "Lines that were not of their format, passed on as text")                    \
    X(cut_lines, counter, "Pieces cut from lines over line_max")                                             \
    X(lost_bytes, counter, "Bytes known to exist that could not be read")                                    \
    X(gaps, counter, "Times that files were gone, damaged or unreadable before they were read")              \
    X(truncations, counter, "Files truncated in place")                                                      \
    X(cut_logs, counter, "Logs that a loss of power cut off before what was read of them")                   \
    X(holes, counter, "Holes of NUL bytes in logs, passed over")                                             \
    X(hole_bytes, counter, "Bytes of those holes")                                                           \
    X(output_shortened, counter, "Times that the output file was cut or deleted by somebody else")           \
    X(rotations, counter, "Rotations followed")                                                              \
    X(read_errors, counter, "Reads that failed")                                                             \
    X(refused_hints, counter, "Labels sidetail.KEY of containers that were wrong or not allowed")            \
    X(cut_tags, counter, "Names of containers that were too long and are cut, and labels left out for that") \
    X(refused_links, counter, "Links, and what is no regular file, that were found and are not followed")    \
    X(metadata_errors, counter, "Containers whose metadata could not be read")                               \
    X(containers_left_out, gauge,                                                                            \
      "Containers of the Engine that are too many, or described at too great length")                        \
    X(feeds, gauge, "Containers and files followed now")                                                     \
    X(open_files, gauge, "Log files held open now")                                                          \
    X(waiting_logs, gauge, "Logs that wait to be opened: all file descriptors are taken")                    \
    X(closed_logs, counter, "Times that a silent log was closed, so that another could be opened")           \
    X(lag_bytes, gauge, "Bytes written by containers and not yet read, as of the last look")                 \
    X(batches, counter, "Batches submitted to the sink")                                                     \
    X(batches_acked, counter, "Batches acknowledged by the sink")                                            \
    X(batch_bytes_held, gauge, "Bytes in batches and joins now")                                             \
    X(backpressure, counter, "Times that reading stopped: the sink was slow, or the checkpoint not saved")   \
    X(sink_errors, counter, "Deliveries that failed and were tried again")                                   \
    X(sink_retries, counter, "Retries of a delivery")                                                        \
    X(commits, counter, "Checkpoints saved or transactions committed")                                       \
    X(commit_errors, counter, "Checkpoints or transactions that failed and were tried again")                \
    X(redactions, counter, "Places redacted")                                                                \
    X(redaction_failures, counter, "Lines replaced whole because a redact regex ran into its limits")        \
    X(regex_limits, counter, "Matches of drop, keep and multiline regexes given up at their limits")         \
    X(dead_letters, counter, "Lines sent to the dead-letter topic")                                          \
    X(kafka_overflow_lines, counter, "Lines that went to the overflow topic: there are too many topics")     \
    X(kafka_queue, gauge, "Messages in the Kafka producer now")                                              \
    X(kafka_queue_full, counter, "Times that the Kafka producer took no more until some were delivered")     \
    X(source_reconnects, counter, "Connections to the Engine opened again")                                  \
    X(loop_wakeups, counter, "Times that the event loop woke")

/* Lines left out on purpose, by reason: name, the label's value. Shown as one family, `dropped_lines`. */
#define METRICS_DROPS(X)                                                                                     \
    X(dropped_rule, "rule") /* by drop or keep */                                                            \
    X(dropped_rate, "rate_limit")

struct metrics {
#define X(name, ...) uint64_t name;
    METRICS(X)
    METRICS_DROPS(X)
#undef X
};
extern struct metrics metrics;

/* How long the turns of the loop kept the processor: so many within each bound, and with that in those above. */
#define METRICS_TURN_COUNT 10
struct loop_turns {
    uint64_t within[METRICS_TURN_COUNT], all;
    int64_t sum_ns;
};
extern struct loop_turns loop_turns;
void metrics_turn(int64_t ns);

/* What stands now, and is no counter. */
struct standing {
    /* Monotonic: since then batches wait and the sink has acknowledged none; 0: none waits. */
    int64_t sink_since_ns;
    int64_t logs_wait_since_ns; /* monotonic: since then logs wait for a file descriptor; 0: none does */
};
extern struct standing standing;

/* So many ns have batches waited while the sink has acknowledged none; 0: none waits. */
int64_t standing_sink_waits(void);

/* Prometheus text format 0.0.4, appended. 0 or -1 (memory; out is as it was). Names: all of the above behind
 * `sidetail_`, counters with `_total`; of each service sidetail_{lines,bytes}_{in,out}_total{service,stream},
 * sidetail_service_lag_bytes and sidetail_behind_seconds{service}; sidetail_sink_waiting_seconds;
 * sidetail_loop_turn_seconds; sidetail_build_info; and of the process what client libraries give: process_…. */
int metrics_render(struct buf *out);

#endif
