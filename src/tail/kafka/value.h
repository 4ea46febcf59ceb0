/* The value of a message, as a line of sidetail's own JSON (encode/json.c). Pure; nothing is allocated. */
#ifndef SIDETAIL_TAIL_KAFKA_VALUE_H
#define SIDETAIL_TAIL_KAFKA_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/stream.h"

/* The members that tell who wrote a line. */
enum value_tag {
    VALUE_SERVICE,
    VALUE_PROJECT,
    VALUE_CONTAINER,
    VALUE_ID,
    VALUE_HOST,
    VALUE_NAMESPACE,
    VALUE_POD,
    VALUE_TASK,
    VALUE_NODE,
    VALUE_IMAGE,
    VALUE_LABELS, /* an object, as it stands */
    VALUE_TAGS
};

/* Slices into the value. Strings are the inside of JSON strings, escapes and all. */
struct value {
    struct slice tags[VALUE_TAGS]; /* ptr NULL: none */
    struct slice text;
    int64_t time_ns;
    enum stream stream;
    uint8_t level; /* enum severity; 0: none */
    bool partial;
};

/* The time of a message, from its timestamp in milliseconds; where it has none, or one that cannot be,
 * `otherwise_ns`. */
int64_t value_time(int64_t timestamp_ms, int64_t otherwise_ns);

/* False: it is no such line, but any text. Its service may be empty. */
bool value_parse(struct slice bytes, struct value *out);

#endif
