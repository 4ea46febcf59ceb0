#include "writers.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/text.h"
#include "tail/say.h"
#include "tail/writer.h"

/* Containers come and go; and who may write to a topic may make up any number of them. */
#define KEPT_MAX       4096
#define KEPT_BYTES_MAX (8u << 20)

struct entry {
    UT_hash_handle hh;
    struct tail_writer *writer; /* NULL: not asked for */
    size_t len;
    /* Whether they are escaped, and the tags one behind the other, each with its length before it. */
    char key[];
};

struct writers {
    const struct tail_env *env;
    struct entry *entries;
    size_t bytes; /* that they take, about */
    struct buf key, text;
};

struct writers *writers_new(const struct tail_env *env)
{
    struct writers *ws = calloc(1, sizeof(*ws));
    if (!ws) {
        tail_out_of_memory();
    }
    ws->env = env;
    return ws;
}

static void forget_all(struct writers *ws)
{
    struct entry *e, *next;
    HASH_ITER(hh, ws->entries, e, next)
    {
        HASH_DEL(ws->entries, e);
        tail_writer_unref(e->writer);
        free(e);
    }
    ws->bytes = 0;
}

void writers_free(struct writers *ws)
{
    if (ws) {
        forget_all(ws);
        buf_free(&ws->key);
        buf_free(&ws->text);
        free(ws);
    }
}

/* -- tags -------------------------------------------------------------------------------------- */

/* Where the strings of tags end up in the scratch, each with its NUL. */
static const char *string_at(const struct writers *ws, size_t at)
{
    return at == SIZE_MAX ? NULL : ws->text.data + at;
}

/* Unescapes the strings into the scratch. */
static void put_strings(struct writers *ws, const struct slice *tags, bool escaped, size_t at[VALUE_TAGS])
{
    ws->text.len = 0;
    for (int i = 0; i < VALUE_TAGS; i++) {
        at[i] = tags[i].len > 0 && i != VALUE_LABELS ? ws->text.len : SIZE_MAX;
        if (at[i] != SIZE_MAX &&
            ((escaped ? text_unescape(&ws->text, tags[i]) : buf_add_slice(&ws->text, tags[i])) < 0 ||
             buf_add(&ws->text, "", 1) < 0)) {
            tail_out_of_memory();
        }
    }
}

static struct tags *make_tags(struct writers *ws, const struct slice *tags, bool escaped)
{
    size_t at[VALUE_TAGS];
    struct slice labels = tags[VALUE_LABELS];
    put_strings(ws, tags, escaped, at);
    struct tags of = {
        .service = string_at(ws, at[VALUE_SERVICE]),
        .project = string_at(ws, at[VALUE_PROJECT]),
        .container = string_at(ws, at[VALUE_CONTAINER]),
        .id = string_at(ws, at[VALUE_ID]),
        .full_id = string_at(ws, at[VALUE_ID]),
        .image = string_at(ws, at[VALUE_IMAGE]),
        .task = string_at(ws, at[VALUE_TASK]),
        .node = string_at(ws, at[VALUE_NODE]),
        .host = string_at(ws, at[VALUE_HOST]),
        .namespace_ = string_at(ws, at[VALUE_NAMESPACE]),
        .pod = string_at(ws, at[VALUE_POD]),
        .labels = labels.ptr ? json_loadb(labels.ptr, labels.len, 0, NULL) : NULL,
    };
    struct tags *made = tags_known(&of);
    json_decref(of.labels);
    if (!made) {
        tail_out_of_memory();
    }
    return made;
}

/* What the configuration leaves out is not in Kafka, so it has no say here. */
static bool is_asked_for(const struct writers *ws, const struct tags *tags)
{
    static const struct config all;
    struct identity who = {.labels = tags->labels};
    return tail_filter_container(ws->env->filter, &all, tags, &who, true);
}

static struct tail_writer *add(struct writers *ws, const struct slice *tags, bool escaped)
{
    size_t size = sizeof(struct entry) + ws->key.len;
    if (HASH_COUNT(ws->entries) >= KEPT_MAX || ws->bytes >= KEPT_BYTES_MAX) {
        forget_all(ws); /* lines that wait have references of their own */
    }
    struct entry *e = calloc(1, size);
    if (!e) {
        tail_out_of_memory();
    }
    e->len = ws->key.len;
    memcpy(e->key, ws->key.data, e->len);
    struct tags *made = make_tags(ws, tags, escaped);
    e->writer = is_asked_for(ws, made) ? tail_feeds_writer(ws->env->feeds, made) : NULL;
    tags_unref(made);
    HASH_ADD_KEYPTR(hh, ws->entries, e->key, e->len, e);
    ws->bytes += 4 * size; /* the tags, their rendered pieces, labels */
    return e->writer;
}

static struct tail_writer *find(struct writers *ws, const struct slice *tags, bool escaped)
{
    struct entry *e;
    ws->key.len = 0;
    if (buf_add(&ws->key, escaped ? "e" : "r", 1) < 0) {
        tail_out_of_memory();
    }
    for (int i = 0; i < VALUE_TAGS; i++) {
        if (buf_reserve(&ws->key, sizeof(tags[i].len) + tags[i].len) < 0) {
            tail_out_of_memory();
        }
        size_t len = tags[i].ptr ? tags[i].len : SIZE_MAX;
        buf_put(&ws->key, (const char *)&len, sizeof(len));
        if (tags[i].len > 0) {
            buf_put(&ws->key, tags[i].ptr, tags[i].len);
        }
    }
    HASH_FIND(hh, ws->entries, ws->key.data, ws->key.len, e);
    return e ? e->writer : add(ws, tags, escaped);
}

struct tail_writer *writers_of_value(struct writers *ws, const struct value *v, const char *topic)
{
    struct slice tags[VALUE_TAGS];
    memcpy(tags, v->tags, sizeof(tags));
    if (tags[VALUE_SERVICE].len == 0) {
        tags[VALUE_SERVICE] = slice_str(topic); /* whose characters need no escape */
    }
    return find(ws, tags, true);
}

/* A header's value; ptr NULL: there is none. */
static struct slice header(const rd_kafka_headers_t *headers, const char *name)
{
    const void *value = NULL;
    size_t len = 0;
    bool there =
        headers && rd_kafka_header_get_last(headers, name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR;
    return there ? slice_of(value, len) : slice_of(NULL, 0);
}

struct tail_writer *writers_of_message(struct writers *ws, const rd_kafka_message_t *m, const char *topic,
                                       struct tail_line *line)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_message_headers(m, &headers);
    struct slice tags[VALUE_TAGS] = {
        [VALUE_SERVICE] = header(headers, "service"),
        [VALUE_CONTAINER] = header(headers, "container"),
        [VALUE_HOST] = header(headers, "host"),
    };
    line->stream = slice_eq(header(headers, "stream"), SLICE("stderr")) ? STREAM_STDERR : STREAM_STDOUT;
    line->partial = slice_eq(header(headers, "partial"), SLICE("true"));
    if (tags[VALUE_SERVICE].len == 0) {
        tags[VALUE_SERVICE] = slice_str(topic);
    }
    return find(ws, tags, false);
}
