#include "record/position.h"

#include <string.h>

static const char *const stream_names[STREAM_COUNT] = {"stdout", "stderr"};

/* -- writing: by hand, for a checkpoint of a thousand feeds is written each second ------------- */

static void put(struct buf *out, struct slice text)
{
    buf_put(out, text.ptr, text.len);
}

static void put_hex(struct buf *out, uint64_t value, int least)
{
    char text[16];
    int at = sizeof(text);
    do {
        text[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value || (int)sizeof(text) - at < least);
    buf_put(out, text + at, sizeof(text) - (size_t)at);
}

static void put_number(struct buf *out, int64_t value)
{
    char text[20];
    int at = sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        text[--at] = '-';
    }
    buf_put(out, text + at, sizeof(text) - (size_t)at);
}

/* As the last members of an object, where it is known. */
static void put_tail(struct buf *out, const struct file_tail *tail)
{
    if (tail->len > 0) {
        put(out, SLICE(",\"tail\":\""));
        put_hex(out, tail->hash, 16);
        put(out, SLICE("\",\"tail_len\":"));
        put_number(out, tail->len);
    }
}

static void put_offset(struct buf *out, enum position_kind kind, const union source_offset *at)
{
    if (kind == POSITION_API) {
        put(out, SLICE("{\"time\":"));
        put_number(out, at->api.time_ns);
        put(out, SLICE(",\"lines\":"));
        put_number(out, at->api.lines);
        put(out, SLICE("}"));
        return;
    }
    const struct file_pos *file = &at->file;
    put(out, SLICE("{\"dev\":\""));
    put_hex(out, file->file.dev, 1);
    put(out, SLICE("\",\"ino\":\""));
    put_hex(out, file->file.ino, 1);
    put(out, SLICE("\",\"head\":\""));
    put_hex(out, file->file.head_hash, 16);
    put(out, SLICE("\",\"head_len\":"));
    put_number(out, file->file.head_len);
    put(out, SLICE(",\"offset\":"));
    put_number(out, (int64_t)file->offset);
    put(out, SLICE(",\"mtime\":"));
    put_number(out, file->mtime_ns);
    put_tail(out, &file->tail);
    put(out, SLICE("}"));
}

static void put_held(struct buf *out, const struct position *pos)
{
    bool any = false;
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (!pos->held_set[s]) {
            continue;
        }
        put(out, any ? SLICE(",\"") : SLICE(",\"held\":{\""));
        put(out, slice_str(stream_names[s]));
        put(out, SLICE("\":"));
        put_offset(out, pos->kind, &pos->held[s]);
        any = true;
    }
    if (any) {
        put(out, SLICE("}"));
    }
}

static void put_outline(struct buf *out, const struct file_outline *outline)
{
    put(out, SLICE(",\"outline\":\""));
    put_hex(out, outline->lines, 2);
    for (size_t i = 0; i < sizeof(outline->sums); i++) {
        put_hex(out, outline->sums[i], 2);
    }
    put(out, SLICE("\""));
}

static void put_tears(struct buf *out, const struct file_tears *tears)
{
    for (unsigned i = 0; i < tears->count; i++) {
        const struct file_tear *tear = &tears->at[i];
        put(out, i == 0 ? SLICE(",\"tears\":[{\"offset\":") : SLICE(",{\"offset\":"));
        put_number(out, (int64_t)tear->offset);
        put(out, SLICE(",\"time\":"));
        put_number(out, tear->time_ns);
        put_tail(out, &tear->before);
        put(out, SLICE("}"));
    }
    put(out, tears->count > 0 ? SLICE("]") : SLICE(""));
}

int position_write(struct buf *out, const struct position *pos)
{
    if (buf_reserve(out, POSITION_TEXT_MAX) < 0) {
        return -1;
    }
    if (pos->kind == POSITION_NONE) {
        put(out, SLICE("{\"kind\":\"none\"}"));
        return 0;
    }
    put(out,
        pos->kind == POSITION_API ? SLICE("{\"kind\":\"api\",\"at\":") : SLICE("{\"kind\":\"file\",\"at\":"));
    put_offset(out, pos->kind, &pos->at);
    put_held(out, pos);
    if (pos->mid_line) {
        put(out, SLICE(",\"mid_line\":true"));
    }
    if (pos->newest_ns != 0) {
        put(out, SLICE(",\"newest\":"));
        put_number(out, pos->newest_ns);
    }
    if (pos->outline.lines > 0) {
        put_outline(out, &pos->outline);
    }
    put_tears(out, &pos->tears);
    put(out, SLICE("}"));
    return 0;
}

json_t *position_to_json(const struct position *pos)
{
    struct buf text = {0};
    if (position_write(&text, pos) < 0) {
        return NULL;
    }
    json_t *json = json_loadb(text.data, text.len, 0, NULL);
    buf_free(&text);
    return json;
}

/* -- comparing --------------------------------------------------------------------------------- */

static bool same_tail(const struct file_tail *a, const struct file_tail *b)
{
    return a->len == b->len && (a->len == 0 || a->hash == b->hash);
}

static bool same_offset(enum position_kind kind, const union source_offset *a, const union source_offset *b)
{
    if (kind == POSITION_API) {
        return a->api.time_ns == b->api.time_ns && a->api.lines == b->api.lines;
    }
    const struct file_pos *x = &a->file, *y = &b->file;
    return x->file.dev == y->file.dev && x->file.ino == y->file.ino &&
           x->file.head_hash == y->file.head_hash && x->file.head_len == y->file.head_len &&
           x->offset == y->offset && x->mtime_ns == y->mtime_ns && same_tail(&x->tail, &y->tail);
}

static bool same_tears(const struct file_tears *a, const struct file_tears *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++) {
        const struct file_tear *x = &a->at[i], *y = &b->at[i];
        same = x->offset == y->offset && x->time_ns == y->time_ns && same_tail(&x->before, &y->before);
    }
    return same;
}

bool position_same(const struct position *a, const struct position *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == POSITION_NONE) {
        return true;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (a->held_set[s] != b->held_set[s] ||
            (a->held_set[s] && !same_offset(a->kind, &a->held[s], &b->held[s]))) {
            return false;
        }
    }
    return a->mid_line == b->mid_line && a->newest_ns == b->newest_ns &&
           memcmp(&a->outline, &b->outline, sizeof(a->outline)) == 0 && same_tears(&a->tears, &b->tears) &&
           same_offset(a->kind, &a->at, &b->at);
}

/* -- reading ----------------------------------------------------------------------------------- */

/* 1 to 16 hex digits in lower case, as they are written. */
static int read_hex(const char *text, uint64_t *value)
{
    size_t len = strlen(text);
    if (len == 0 || len > 16 || strspn(text, "0123456789abcdef") != len) {
        return -1;
    }
    *value = 0;
    for (; *text; text++) {
        *value = *value << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    }
    return 0;
}

static int read_api(json_t *json, struct api_pos *api)
{
    json_int_t time, lines;
    if (json_unpack(json, "{s:I,s:I!}", "time", &time, "lines", &lines) < 0 || lines < 0 ||
        lines > UINT32_MAX) {
        return -1;
    }
    *api = (struct api_pos){.time_ns = time, .lines = (uint32_t)lines};
    return 0;
}

/* What stands before the offset. */
static int read_tail(const char *hash, json_int_t len, json_int_t offset, struct file_tail *tail)
{
    if (read_hex(hash, &tail->hash) < 0 || len < 0 || len > FILE_TAIL_MAX || len > offset) {
        return -1;
    }
    tail->len = (uint32_t)len;
    return 0;
}

static int read_file(json_t *json, struct file_pos *file)
{
    const char *dev, *ino, *head, *tail = "0";
    json_int_t head_len, offset, mtime, tail_len = 0;
    if (json_unpack(json, "{s:s,s:s,s:s,s:I,s:I,s:I,s?s,s?I!}", "dev", &dev, "ino", &ino, "head", &head,
                    "head_len", &head_len, "offset", &offset, "mtime", &mtime, "tail", &tail, "tail_len",
                    &tail_len) < 0) {
        return -1;
    }
    if (read_hex(dev, &file->file.dev) < 0 || read_hex(ino, &file->file.ino) < 0 ||
        read_hex(head, &file->file.head_hash) < 0 || head_len < 0 || head_len > FILE_ID_HEAD || offset < 0 ||
        read_tail(tail, tail_len, offset, &file->tail) < 0) {
        return -1;
    }
    file->file.head_len = (uint32_t)head_len;
    file->offset = (uint64_t)offset;
    file->mtime_ns = mtime;
    return 0;
}

static int read_offset(json_t *json, enum position_kind kind, union source_offset *at)
{
    return kind == POSITION_API ? read_api(json, &at->api) : read_file(json, &at->file);
}

static int read_held(json_t *json, struct position *pos)
{
    json_t *held[STREAM_COUNT] = {NULL};
    if (json_unpack(json, "{s?o,s?o!}", stream_names[0], &held[0], stream_names[1], &held[1]) < 0) {
        return -1;
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        pos->held_set[s] = held[s] != NULL;
        if (held[s] && read_offset(held[s], pos->kind, &pos->held[s]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_outline(const char *text, struct file_outline *outline)
{
    uint64_t half[2];
    char digits[17] = {0};
    if (strlen(text) != 32) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        memcpy(digits, text + 16 * (size_t)i, 16);
        if (read_hex(digits, &half[i]) < 0) {
            return -1;
        }
    }
    outline->lines = (uint8_t)(half[0] >> 56);
    for (int i = 1; i < 16; i++) {
        outline->sums[i - 1] = (uint8_t)(half[i / 8] >> (56 - 8 * (i % 8)));
    }
    return outline->lines > 0 ? 0 : -1;
}

static int read_tear(json_t *json, struct file_tear *tear)
{
    const char *tail = "0";
    json_int_t offset, time, tail_len = 0;
    if (json_unpack(json, "{s:I,s:I,s?s,s?I!}", "offset", &offset, "time", &time, "tail", &tail, "tail_len",
                    &tail_len) < 0 ||
        offset <= 0 || read_tail(tail, tail_len, offset, &tear->before) < 0) {
        return -1;
    }
    tear->offset = (uint64_t)offset;
    tear->time_ns = time;
    return 0;
}

static int read_tears(json_t *json, struct file_tears *tears)
{
    size_t count = json_array_size(json); /* 0 of what is no array */
    int result = count > 0 && count <= FILE_TEARS_MAX ? 0 : -1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = read_tear(json_array_get(json, i), &tears->at[i]);
        tears->count++;
    }
    return result;
}

static int read_kind(const char *name, enum position_kind *kind)
{
    static const char *const names[] = {[POSITION_FILE] = "file", [POSITION_API] = "api"};
    for (int k = POSITION_FILE; k <= POSITION_API; k++) {
        if (!strcmp(name, names[k])) {
            *kind = (enum position_kind)k;
            return 0;
        }
    }
    return -1;
}

int position_from_json(const json_t *json, struct position *pos)
{
    json_t *root = (json_t *)json; /* jansson's unpack takes no const; with `o` it changes nothing */
    const char *kind, *outline = NULL;
    json_t *at, *held = NULL, *tears = NULL;
    int mid_line = 0;
    json_int_t newest = 0;
    memset(pos, 0, sizeof(*pos));
    if (json_unpack(root, "{s:s!}", "kind", &kind) == 0 && !strcmp(kind, "none")) {
        return 0;
    }
    if (json_unpack(root, "{s:s,s:o,s?o,s?b,s?I,s?s,s?o!}", "kind", &kind, "at", &at, "held", &held,
                    "mid_line", &mid_line, "newest", &newest, "outline", &outline, "tears", &tears) < 0 ||
        read_kind(kind, &pos->kind) < 0 || read_offset(at, pos->kind, &pos->at) < 0 ||
        (held && read_held(held, pos) < 0) || (outline && read_outline(outline, &pos->outline) < 0) ||
        (tears && read_tears(tears, &pos->tears) < 0)) {
        memset(pos, 0, sizeof(*pos));
        return -1;
    }
    pos->mid_line = mid_line;
    pos->newest_ns = newest;
    return 0;
}

/* -- keys -------------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '%';
}

int position_key_write(struct buf *out, const char *key)
{
    if (buf_reserve(out, 3 * strlen(key)) < 0) {
        return -1;
    }
    for (; *key; key++) {
        unsigned char c = (unsigned char)*key;
        if (is_plain(c)) {
            buf_put(out, key, 1);
        } else {
            const char *digits = "0123456789ABCDEF";
            buf_put(out, (const char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
    }
    return 0;
}

static int hex_value(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

size_t position_key_read(char *key)
{
    char *to = key;
    for (const char *from = key; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_value(from[1]);
        int low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || high * 16 + low == 0) {
            return 0;
        }
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return (size_t)(to - key);
}
