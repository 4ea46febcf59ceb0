/* Of each feed the last position, then the head. */
#include "marks.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "positions.h"

#define TURN_MESSAGES 1000 /* produced at one turn of the loop */

struct slot {
    const struct feed_key *key; /* NULL: free */
    const struct compact_position *pos;
};

/* One message in `text`: key, then value. */
struct message {
    size_t offset, key_len, value_len; /* no value: a tombstone */
};

struct kafka_marks {
    const struct kafka_settings *settings;
    char session[KAFKA_SESSION_LEN + 1];
    int32_t partition;
    int64_t head_offset; /* of the last head that is known of */
    struct slot *slots;
    size_t cap_slots, used; /* cap_slots is a power of two */
    struct buf text;
    struct message *messages;
    size_t count, cap, next; /* next to be produced */
    struct buf forgotten;    /* keys of feeds, each with its NUL */
    size_t gathered;         /* bytes of them that the last gathering took */
};

struct kafka_marks *kafka_marks_new(const struct kafka_settings *s, const char *session)
{
    struct kafka_marks *marks = calloc(1, sizeof(*marks));
    if (marks) {
        marks->settings = s;
        snprintf(marks->session, sizeof(marks->session), "%s", session);
        marks->cap_slots = 256;
        marks->slots = calloc(marks->cap_slots, sizeof(*marks->slots));
        if (!marks->slots) {
            free(marks);
            return NULL;
        }
    }
    return marks;
}

void kafka_marks_free(struct kafka_marks *marks)
{
    if (marks) {
        free(marks->slots);
        free(marks->messages);
        buf_free(&marks->text);
        buf_free(&marks->forgotten);
        free(marks);
    }
}

void kafka_marks_setup(struct kafka_marks *marks, int32_t partition, int64_t head_offset)
{
    marks->partition = partition;
    marks->head_offset = head_offset;
}

void kafka_marks_head_delivered(struct kafka_marks *marks, int64_t offset)
{
    marks->head_offset = offset >= 0 ? offset : marks->head_offset;
}

int64_t kafka_marks_head_offset(const struct kafka_marks *marks)
{
    return marks->head_offset;
}

/* By the feed's key: a feed may be closed, and another opened with its key, within one transaction. */
static struct slot *slot_of(struct kafka_marks *marks, const struct feed_key *key)
{
    size_t i = (size_t)XXH3_64bits(key->text, strlen(key->text));
    for (;; i++) {
        struct slot *slot = &marks->slots[i & (marks->cap_slots - 1)];
        if (!slot->key || slot->key == key || !strcmp(slot->key->text, key->text)) {
            return slot;
        }
    }
}

static int grow(struct kafka_marks *marks)
{
    struct slot *old = marks->slots;
    size_t cap = marks->cap_slots;
    struct slot *slots = calloc(cap * 2, sizeof(*slots));
    if (!slots) {
        return -1;
    }
    marks->slots = slots;
    marks->cap_slots = cap * 2;
    for (size_t i = 0; i < cap; i++) {
        if (old[i].key) {
            *slot_of(marks, old[i].key) = old[i];
        }
    }
    free(old);
    return 0;
}

/* Remembers of each feed the last position. */
static int note(struct kafka_marks *marks, const struct mark *mark)
{
    struct slot *slot = slot_of(marks, mark->key);
    if (!slot->key) {
        if (marks->used * 2 >= marks->cap_slots) {
            if (grow(marks) < 0) {
                return -1;
            }
            slot = slot_of(marks, mark->key);
        }
        marks->used++;
    }
    *slot = (struct slot){mark->key, &mark->pos};
    return 0;
}

static struct message *add_message(struct kafka_marks *marks)
{
    if (marks->count == marks->cap) {
        size_t cap = marks->cap ? marks->cap * 2 : 64;
        struct message *messages = realloc(marks->messages, cap * sizeof(*messages));
        if (!messages) {
            return NULL;
        }
        marks->messages = messages;
        marks->cap = cap;
    }
    struct message *m = &marks->messages[marks->count++];
    *m = (struct message){.offset = marks->text.len};
    return m;
}

static int add_position(struct kafka_marks *marks, const char *feed, const struct position *pos)
{
    struct message *m = add_message(marks);
    if (!m || kafka_positions_key(&marks->text, marks->settings->identity, feed) < 0) {
        return -1;
    }
    m->key_len = marks->text.len - m->offset;
    if (pos->kind != POSITION_NONE && kafka_position_value(&marks->text, pos) < 0) {
        return -1;
    }
    m->value_len = marks->text.len - m->offset - m->key_len;
    return 0;
}

static int add_head(struct kafka_marks *marks, uint64_t number)
{
    struct message *m = add_message(marks);
    if (!m || kafka_positions_key(&marks->text, marks->settings->identity, NULL) < 0) {
        return -1;
    }
    m->key_len = marks->text.len - m->offset;
    if (kafka_head_value(&marks->text, marks->session, number) < 0) {
        return -1;
    }
    m->value_len = marks->text.len - m->offset - m->key_len;
    return 0;
}

struct everything {
    struct kafka_marks *marks;
    int result;
};

static void add_known(void *arg, const char *feed, const struct position *pos)
{
    struct everything *e = arg;
    if (e->result == 0) {
        e->result = add_position(e->marks, feed, pos);
    }
}

int kafka_marks_forget(struct kafka_marks *marks, const char *feed)
{
    return buf_add(&marks->forgotten, feed, strlen(feed) + 1);
}

void kafka_marks_committed(struct kafka_marks *marks)
{
    struct buf *keys = &marks->forgotten;
    keys->len -= marks->gathered;
    if (keys->len > 0) {
        memmove(keys->data, keys->data + marks->gathered, keys->len);
    }
    marks->gathered = 0;
}

/* They come first: a position of the same feed that follows is the one that counts. */
static int add_forgotten(struct kafka_marks *marks)
{
    static const struct position none = {.kind = POSITION_NONE};
    const struct buf *keys = &marks->forgotten;
    marks->gathered = keys->len;
    for (size_t i = 0; i < keys->len; i += strlen(keys->data + i) + 1) {
        if (add_position(marks, keys->data + i, &none) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_noted(struct kafka_marks *marks)
{
    struct position pos;
    for (size_t i = 0; i < marks->cap_slots; i++) {
        const struct slot *slot = &marks->slots[i];
        if (!slot->key) {
            continue;
        }
        compact_get(slot->pos, &pos);
        if (add_position(marks, slot->key->text, &pos) < 0) {
            return -1;
        }
    }
    return 0;
}

int kafka_marks_gather(struct kafka_marks *marks, const struct batch *batches, struct checkpoint *all,
                       uint64_t number)
{
    memset(marks->slots, 0, marks->cap_slots * sizeof(*marks->slots));
    marks->text.len = marks->count = marks->next = marks->used = 0;
    for (; batches; batches = batches->next) {
        for (uint32_t i = 0; i < batches->nmarks; i++) {
            if (batches->marks[i].moved && note(marks, &batches->marks[i]) < 0) {
                return -1;
            }
        }
    }
    if (add_forgotten(marks) < 0) {
        return -1;
    }
    if (all) {
        struct everything e = {.marks = marks};
        checkpoint_each(all, add_known, &e);
        if (e.result < 0) {
            return -1;
        }
    }
    return add_noted(marks) < 0 ? -1 : add_head(marks, number);
}

enum kafka_progress kafka_marks_produce(struct kafka_marks *marks, rd_kafka_t *rk, rd_kafka_topic_t *topic,
                                        struct error *err)
{
    for (size_t turn = 0; marks->next < marks->count; marks->next++, turn++) {
        if (turn == TURN_MESSAGES) {
            return KAFKA_BUSY;
        }
        const struct message *m = &marks->messages[marks->next];
        char *key = marks->text.data + m->offset;
        char *value = m->value_len > 0 ? key + m->key_len : NULL;
        void *opaque = marks->next + 1 == marks->count ? marks : NULL;
        rd_kafka_resp_err_t code = rd_kafka_producev(
            rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(marks->partition),
            RD_KAFKA_V_KEY(key, m->key_len), RD_KAFKA_V_VALUE(value, m->value_len),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return KAFKA_FULL;
        }
        if (code) {
            error_set(err, "topic %s: %s", marks->settings->positions_topic, rd_kafka_err2str(code));
            return KAFKA_BROKEN;
        }
    }
    return KAFKA_ALL;
}
