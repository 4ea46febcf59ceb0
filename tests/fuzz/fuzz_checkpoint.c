/* Positions and what holds them: any position that reading can come to stays the same in the compact form, as text,
 * in the checkpoint's file and through the records of Kafka's topic of positions. Any bytes in the place of one of
 * them are either refused with a reason or read; and what was read is the same when it is written and read again. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/text.h"
#include "fuzz.h"
#include "record/compact_position.h"
#include "sink/kafka/positions.h"

#define IDENTITY  "web-1"
#define SESSION   "0123456789abcdef0123456789abcdef"
#define ENTRY_MAX 8

/* -- the checkpoint's file --------------------------------------------------------------------- */

struct content {
    struct entries entries;
    struct position output;
};

static void content_free(struct content *c)
{
    entries_clear(&c->entries);
}

static enum text_result read_content(struct slice text, struct content *c)
{
    struct error err = {0};
    int version = 0;
    *c = (struct content){0};
    enum text_result result = text_read(text, &c->entries, &c->output, &version, &err);
    CHECK(result != TEXT_DAMAGED || err.text[0]);
    CHECK(result != TEXT_NEWER || version > TEXT_VERSION);
    return result;
}

static void same_content(const struct content *a, const struct content *b)
{
    CHECK(position_same(&a->output, &b->output) && a->entries.count == b->entries.count);
    for (uint32_t i = 0; i < a->entries.count; i++) {
        const struct entry *x = a->entries.all[i];
        const struct entry *y = entries_find(&b->entries, x->key, strlen(x->key));
        struct position left, right;
        CHECK(y && y == b->entries.all[i] && x->seen == y->seen);
        compact_get(&x->pos, &left);
        compact_get(&y->pos, &right);
        CHECK(position_same(&left, &right));
    }
}

/* Written and read again. */
static void content_returns(const struct content *c)
{
    struct content again;
    int fd = memfd_create("checkpoint", MFD_CLOEXEC);
    CHECK(fd >= 0 && text_write(fd, &c->entries, &c->output, 0) == 0);
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)size); /* no byte behind it may be read */
    CHECK(text && pread(fd, text, (size_t)size, 0) == size);
    CHECK(read_content(slice_of(text, (size_t)size), &again) == TEXT_READ);
    same_content(c, &again);
    content_free(&again);
    free(text);
    close(fd);
}

static void any_text(const char *text, size_t len)
{
    struct content c;
    char *exact = malloc(len > 0 ? len : 1);
    CHECK(exact);
    memcpy(exact, text, len);
    if (read_content(slice_of(exact, len), &c) == TEXT_READ) {
        content_returns(&c);
    }
    content_free(&c);
    free(exact);
}

/* The bytes as a file, and as the second line of one whose sum is right. */
static void any_file(struct slice bytes)
{
    struct buf file = {0};
    any_text(bytes.ptr, bytes.len);
    CHECK(buf_addf(&file, "{\"sidetail\":\"checkpoint\",\"version\":3,\"xxh3\":\"%016llx\"}\n",
                   (unsigned long long)XXH3_64bits(bytes.ptr, bytes.len)) == 0);
    CHECK(buf_add_slice(&file, bytes) == 0 && buf_add(&file, "\n", 1) == 0);
    any_text(file.data, file.len);
    buf_free(&file);
}

/* -- one position ------------------------------------------------------------------------------ */

static void compact_returns(const struct position *pos)
{
    struct compact_position compact = {0};
    struct position back;
    CHECK(compact_set(&compact, pos) == 0);
    compact_get(&compact, &back);
    CHECK(position_same(pos, &back));
    compact_clear(&compact);
}

static void text_returns(const struct position *pos)
{
    struct buf text = {0};
    struct position back;
    CHECK(position_write(&text, pos) == 0 && text.len <= POSITION_TEXT_MAX);
    json_t *json = json_loadb(text.data, text.len, 0, NULL);
    CHECK(json && position_from_json(json, &back) == 0 && position_same(pos, &back));
    json_decref(json);
    buf_free(&text);
}

static void any_position(struct slice bytes)
{
    json_t *json = json_loadb(bytes.ptr, bytes.len, 0, NULL);
    struct position pos;
    if (json && position_from_json(json, &pos) == 0) {
        text_returns(&pos);
        compact_returns(&pos);
    }
    json_decref(json);
}

/* -- records of the topic of positions --------------------------------------------------------- */

/* What a collector finds there, given these records. */
static struct checkpoint *restored(struct kafka_past *past)
{
    struct checkpoint *c = checkpoint_new();
    CHECK(c && !past->failed && kafka_positions_restore(past->positions, c) == 0);
    json_decref(past->positions);
    return c;
}

static struct kafka_past new_past(void)
{
    struct kafka_past past = {.identity = IDENTITY,
                              .session = SESSION,
                              .in_doubt = 7,
                              .head_offset = -1,
                              .positions = json_object()};
    CHECK(past.positions);
    return past;
}

static void record_returns(const char *feed, const struct position *pos)
{
    struct kafka_past past = new_past();
    struct buf key = {0}, value = {0};
    CHECK(kafka_positions_key(&key, IDENTITY, feed) == 0 && kafka_position_value(&value, pos) == 0);
    struct slice content = {value.data, value.len};
    kafka_past_take(&past, slice_of(key.data, key.len), &content, 0, 1795528099);
    struct checkpoint *c = restored(&past);
    const struct position *back = checkpoint_get(c, feed);
    CHECK(back && position_same(pos, back));
    checkpoint_free(c);
    buf_free(&key);
    buf_free(&value);
}

/* A record of any key and value, written at any time. */
static void any_record(struct slice bytes)
{
    struct asked a = {(const uint8_t *)bytes.ptr, (const uint8_t *)bytes.ptr + bytes.len};
    struct kafka_past past = new_past();
    int64_t written = (int64_t)asked_number(&a);
    struct slice key = asked_bytes(&a, asked_byte(&a)), value = asked_bytes(&a, SIZE_MAX);
    kafka_past_take(&past, key, value.len > 0 ? &value : NULL, 5, written);
    CHECK(past.head_offset == -1 || past.head_offset == 5);
    CHECK(!past.committed || past.ours);
    checkpoint_free(restored(&past));
}

/* -- positions that reading can come to -------------------------------------------------------- */

static uint64_t up_to(struct asked *a, uint64_t most)
{
    uint64_t number = asked_number(a);
    return number <= most ? number : number % (most + 1);
}

static struct file_tail make_tail(struct asked *a, uint64_t offset)
{
    uint64_t most = offset < FILE_TAIL_MAX ? offset : FILE_TAIL_MAX;
    return (struct file_tail){.hash = asked_number(a), .len = (uint32_t)up_to(a, most)};
}

static union source_offset make_offset(struct asked *a, enum position_kind kind)
{
    union source_offset at = {0};
    if (kind == POSITION_API) {
        at.api = (struct api_pos){.time_ns = (int64_t)asked_number(a), .lines = (uint32_t)asked_number(a)};
        return at;
    }
    at.file.file = (struct file_id){.dev = asked_number(a),
                                    .ino = asked_number(a),
                                    .head_hash = asked_number(a),
                                    .head_len = (uint32_t)up_to(a, FILE_ID_HEAD)};
    at.file.offset = up_to(a, INT64_MAX);
    at.file.mtime_ns = (int64_t)asked_number(a);
    at.file.tail = make_tail(a, at.file.offset);
    return at;
}

static void add_file_parts(struct asked *a, struct position *pos)
{
    uint8_t count = asked_byte(a) % (FILE_TEARS_MAX + 1);
    pos->outline.lines = asked_byte(a);
    for (size_t i = 0; pos->outline.lines > 0 && i < sizeof(pos->outline.sums); i++) {
        pos->outline.sums[i] = asked_byte(a);
    }
    pos->tears.count = count;
    for (uint8_t i = 0; i < count; i++) {
        struct file_tear *tear = &pos->tears.at[i];
        tear->offset = 1 + up_to(a, INT64_MAX - 1);
        tear->time_ns = (int64_t)asked_number(a);
        tear->before = make_tail(a, tear->offset);
    }
}

static struct position make_position(struct asked *a)
{
    uint8_t has = asked_byte(a);
    struct position pos = {.kind = has & 1 ? POSITION_API : POSITION_FILE};
    pos.at = make_offset(a, pos.kind);
    for (int s = 0; s < STREAM_COUNT; s++) {
        pos.held_set[s] = has & (2 << s);
        pos.held[s] = pos.held_set[s] ? make_offset(a, pos.kind) : pos.held[s];
    }
    if (pos.kind == POSITION_FILE) {
        pos.mid_line = has & 8;
        pos.newest_ns = has & 16 ? (int64_t)asked_number(a) : 0;
        if (has & 32) {
            add_file_parts(a, &pos);
        }
    }
    return pos;
}

/* Of any bytes but NUL, as a path is; not empty. */
static void make_key(struct asked *a, char key[64])
{
    struct slice bytes = asked_bytes(a, asked_byte(a) % 64);
    memcpy(key, bytes.ptr, bytes.len);
    key[bytes.len] = '\0';
    if (!*key) {
        strcpy(key, "k");
    }
}

static void made(struct slice bytes)
{
    struct asked a = {(const uint8_t *)bytes.ptr, (const uint8_t *)bytes.ptr + bytes.len};
    struct content c = {.output = asked_byte(&a) & 1 ? make_position(&a) : (struct position){0}};
    for (int i = 0; i < ENTRY_MAX && a.at < a.end; i++) {
        char key[64];
        make_key(&a, key);
        struct position pos = make_position(&a);
        compact_returns(&pos);
        text_returns(&pos);
        record_returns(key, &pos);
        struct entry *e = entries_add(&c.entries, key, strlen(key));
        CHECK(e && compact_set(&e->pos, &pos) == 0);
        entry_set_seen(e, (int64_t)asked_number(&a));
    }
    content_returns(&c);
    content_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct slice bytes) = {any_file, any_position, any_record, made};
    log_setup(LEVEL_ERROR + 1, LOG_LOGFMT);
    if (size > 0) {
        ways[data[0] % 4](slice_of((const char *)data + 1, size - 1));
    }
    return 0;
}
