#include "payload.h"

#include <strings.h>

#include "base/json_check.h"
#include "base/json_walk.h"

/* Names of members by rank: an earlier one wins. */
static const char *const level_names[] = {"level",    "severity",  "lvl", "levelname",
                                          "loglevel", "log.level", NULL};
static const char *const message_names[] = {"message", "msg", "event", "log", "text", "error", NULL};
static const char *const time_names[] = {"time", "ts", "timestamp", "@timestamp", NULL};

/* Place in the list; -1 when it is not there. */
static int rank_of(struct slice key, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) == key.len && strncasecmp(names[i], key.ptr, key.len) == 0) {
            return i;
        }
    }
    return -1;
}

bool payload_is_string(struct slice value)
{
    return value.len >= 2 && value.ptr[0] == '"';
}

static struct slice inside(struct slice value)
{
    return payload_is_string(value) ? slice_of(value.ptr + 1, value.len - 2) : value;
}

/* May a level stand in this value? Strings and small numbers (bunyan, pino). */
static bool may_be_level(struct slice value)
{
    return payload_is_string(value) || (value.len <= 3 && value.ptr[0] >= '0' && value.ptr[0] <= '9');
}

struct chosen {
    int index, rank; /* of the field taken for it; index -1: none yet */
};

static void choose(struct chosen *c, int index, int rank)
{
    if (rank >= 0 && (c->index < 0 || rank < c->rank)) {
        *c = (struct chosen){index, rank};
    }
}

/* Fills in the fields of a checked object; the index of each one of them. False: too many. */
static bool walk(const char *p, struct payload *out, struct chosen *level, struct chosen *message)
{
    struct slice key, value;
    p = json_members(p);
    while (json_next_member(&p, &key, &value)) {
        if (rank_of(key, time_names) >= 0) {
            continue;
        }
        if (out->count == PAYLOAD_FIELDS) {
            return false;
        }
        choose(level, (int)out->count, may_be_level(value) ? rank_of(key, level_names) : -1);
        choose(message, (int)out->count, payload_is_string(value) ? rank_of(key, message_names) : -1);
        out->fields[out->count++] = (struct payload_field){key, value};
    }
    return true;
}

static void take_out(struct payload *out, int index)
{
    if (index >= 0) {
        out->count--;
        memmove(&out->fields[index], &out->fields[index + 1],
                (out->count - (unsigned)index) * sizeof(out->fields[0]));
    }
}

bool payload_parse(struct slice text, struct payload *out)
{
    struct chosen level = {-1, 0}, message = {-1, 0};
    out->count = 0;
    out->level = out->message = (struct slice){0};
    if (text.len < 2 || text.ptr[0] != '{' || !json_check_object(text)) {
        return false;
    }
    if (!walk(text.ptr, out, &level, &message) || (level.index < 0 && message.index < 0)) {
        return false;
    }
    if (level.index >= 0) {
        out->level = inside(out->fields[level.index].value);
    }
    if (message.index >= 0) {
        out->message = inside(out->fields[message.index].value);
    }
    take_out(out, level.index > message.index ? level.index : message.index); /* the later one first */
    take_out(out, level.index > message.index ? message.index : level.index);
    return true;
}
