/* Docker's driver `local`: records that are framed by their length, each a protobuf message. */
#include "base/clock.h"
#include "decode/decode.h"

#define LENGTH      4          /* bytes of the length before and behind the message */
#define MESSAGE_MAX (1u << 20) /* Docker reads back up to a million bytes */

/* How each message begins: field 1, six bytes, `stdout` or `stderr`. A container cannot write that into a
 * record: it begins with a newline, at which the Engine cuts lines (moby daemon/logger/copier.go). Where that
 * byte is the length of a line, no length of a record stands before it. Only attributes may hold it. */
#define MARK     "\x0a\x06std"
#define MARK_LEN 5

/* Tags as protobuf writes them: the field's number and its wire type. */
enum field {
    SOURCE = 0x0a,
    TIME = 0x10,
    LINE = 0x1a,
    PARTIAL = 0x20,
    METADATA = 0x2a,
    ATTRIBUTE = 0x32, /* Engine 29: log options such as labels */
    METADATA_LAST = 0x08
};

enum state { WHOLE, TORN, DAMAGED };

struct entry {
    struct slice line, metadata;
    uint64_t time_ns, partial;
    enum stream stream;
    bool attributes; /* it has some, or is torn inside the first one */
};

/* A message of which not all bytes may be there yet. */
struct message {
    const unsigned char *p;
    size_t have, left; /* bytes that are there; bytes that belong to it, no fewer */
};

static inline void advance(struct message *m, size_t len)
{
    m->p += len;
    m->have -= len;
    m->left -= len;
}

static inline enum state take_number(struct message *m, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (m->have == 0) {
            return m->left > 0 ? TORN : DAMAGED;
        }
        unsigned char byte = *m->p;
        advance(m, 1);
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return WHOLE;
        }
    }
    return DAMAGED;
}

static inline enum state take_bytes(struct message *m, uint64_t len, struct slice *bytes)
{
    if (len > m->left) {
        return DAMAGED;
    }
    if (len > m->have) {
        return TORN;
    }
    *bytes = slice_of((const char *)m->p, (size_t)len);
    advance(m, (size_t)len);
    return WHOLE;
}

static inline enum state take_string(struct message *m, struct slice *bytes)
{
    uint64_t len;
    enum state state = take_number(m, &len);
    return state == WHOLE ? take_bytes(m, len, bytes) : state;
}

/* A field that is not needed, as a newer Engine may add some. */
static enum state pass_field(struct message *m, uint64_t tag)
{
    uint64_t number;
    struct slice bytes;
    switch (tag < 8 ? 8 : tag & 7) {
    case 0:
        return take_number(m, &number);
    case 1:
        return take_bytes(m, 8, &bytes);
    case 2:
        return take_string(m, &bytes);
    case 5:
        return take_bytes(m, 4, &bytes);
    default:
        return DAMAGED;
    }
}

static inline enum state take_source(struct message *m, enum stream *stream)
{
    struct slice source;
    enum state state = take_string(m, &source);
    if (state != WHOLE) {
        return state;
    }
    *stream = slice_eq(source, SLICE("stderr")) ? STREAM_STDERR : STREAM_STDOUT;
    return *stream == STREAM_STDERR || slice_eq(source, SLICE("stdout")) ? WHOLE : DAMAGED;
}

static inline enum state take_field(struct message *m, struct entry *e)
{
    uint64_t tag;
    enum state state = take_number(m, &tag);
    if (state != WHOLE) {
        return state;
    }
    switch (tag) {
    case SOURCE:
        return take_source(m, &e->stream);
    case TIME:
        return take_number(m, &e->time_ns);
    case LINE:
        return take_string(m, &e->line);
    case PARTIAL:
        return take_number(m, &e->partial);
    case METADATA:
        return take_string(m, &e->metadata);
    default:
        e->attributes |= tag == ATTRIBUTE;
        return pass_field(m, tag);
    }
}

/* Reads the record at p. WHOLE: *size bytes. TORN: what is there is the beginning of one. */
static inline enum state read_record(const char *p, const char *end, struct entry *e, size_t *size)
{
    size_t have = (size_t)(end - p);
    uint32_t len, again;
    if (have < LENGTH) {
        return TORN;
    }
    memcpy(&len, p, LENGTH);
    size_t left = __builtin_bswap32(len);
    if (left <= MARK_LEN || left > MESSAGE_MAX) {
        return DAMAGED;
    }
    have -= LENGTH;
    struct message m = {(const unsigned char *)p + LENGTH, have < left ? have : left, left};
    if (memcmp(m.p, MARK, m.have < MARK_LEN ? m.have : MARK_LEN) != 0) {
        return DAMAGED;
    }
    *size = left + 2 * LENGTH;
    while (m.left > 0) {
        enum state state = take_field(&m, e);
        if (state != WHOLE) {
            return state;
        }
    }
    if (have < left + LENGTH) {
        return TORN;
    }
    memcpy(&again, m.p, LENGTH);
    return again == len ? WHOLE : DAMAGED;
}

/* The last piece of a long line is marked as partial too, and as the last one. */
static bool goes_on(const struct entry *e)
{
    struct message m = {(const unsigned char *)e->metadata.ptr, e->metadata.len, e->metadata.len};
    uint64_t tag, last = 0;
    while (m.left > 0) {
        if (take_number(&m, &tag) != WHOLE ||
            (tag == METADATA_LAST ? take_number(&m, &last) : pass_field(&m, tag)) != WHOLE) {
            break;
        }
    }
    return last == 0;
}

/* -- the shape that nearly all records have: source, time and line, and no more ----------------- */

/* The number in eight bytes of seven bits each, the first one the lowest. */
static inline uint64_t join_sevens(uint64_t bytes)
{
    bytes &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    bytes = (bytes & UINT64_C(0x007f007f007f007f)) | (bytes & UINT64_C(0x7f007f007f007f00)) >> 1;
    bytes = (bytes & UINT64_C(0x00003fff00003fff)) | (bytes & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (bytes & UINT64_C(0x0fffffff)) | (bytes & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* Where the parts lie. The time of the years from 1973 to 2262 takes nine bytes. */
enum { AT_SOURCE = LENGTH, AT_TIME = AT_SOURCE + 8, AT_LINE = AT_TIME + 10, AT_TEXT = AT_LINE + 2 };

/* The bytes that the record at p takes; 0: it is of another shape, or torn. */
static inline size_t read_usual(const char *p, const char *end, struct entry *e)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint32_t len, again;
    uint64_t time;
    if (end - p < AT_TEXT + LENGTH) {
        return 0;
    }
    memcpy(&len, p, LENGTH);
    size_t size = (size_t)__builtin_bswap32(len) + 2 * LENGTH;
    if (size < AT_TEXT + LENGTH || size > (size_t)(end - p) || size > MESSAGE_MAX) {
        return 0;
    }
    memcpy(&time, p + AT_TIME + 1, sizeof(time));
    memcpy(&again, p + size - LENGTH, LENGTH);
    const unsigned char *line = (const unsigned char *)p + AT_LINE;
    bool fits = (memcmp(p + AT_SOURCE, "\x0a\x06stdout", 8) == 0 ||
                 memcmp(p + AT_SOURCE, "\x0a\x06stderr", 8) == 0) &&
                p[AT_TIME] == TIME && (time & high_bits) == high_bits &&
                (unsigned char)p[AT_LINE - 1] < 0x80 && line[0] == LINE && again == len;
    size_t text = line[1] < 0x80 ? line[1] : (line[1] & 0x7fu) | (size_t)line[2] << 7;
    size_t at = line[1] < 0x80 ? AT_TEXT : AT_TEXT + 1;
    if (!fits || (at > AT_TEXT && line[2] >= 0x80) || at + text + LENGTH != size) {
        return 0;
    }
    e->stream = p[AT_SOURCE + 5] == 'e' ? STREAM_STDERR : STREAM_STDOUT;
    e->time_ns = join_sevens(time) | (uint64_t)(unsigned char)p[AT_LINE - 1] << 56;
    e->line = slice_of(p + at, text);
    return size;
}

static size_t next(const char *p, const char *end, struct record *out, struct buf *scratch)
{
    struct entry e = {.line = {p, 0}};
    size_t size = read_usual(p, end, &e);
    if (size == 0 && read_record(p, end, &e, &size) != WHOLE) {
        return 0;
    }
    scratch->len = 0;
    *out = (struct record){
        .text = e.line,
        .stream = e.stream,
        .more = e.partial && e.line.len >= PIECE_MIN && goes_on(&e),
    };
    if (buf_reserve(scratch, CLOCK_TEXT_MAX) == 0) {
        out->time = slice_of(scratch->data, clock_format((int64_t)e.time_ns, scratch->data));
    }
    return size;
}

/* The first record behind p that is whole; with `torn`, also one of which the beginning is there. NULL: there
 * is none. */
static const char *find_record(const char *p, const char *end, bool torn)
{
    const char *mark = (size_t)(end - p) > LENGTH ? p + LENGTH : end;
    while (mark < end && (mark = memmem(mark + 1, (size_t)(end - mark) - 1, MARK, MARK_LEN))) {
        struct entry e = {0};
        size_t size;
        enum state state = read_record(mark - LENGTH, end, &e, &size);
        if (state == WHOLE || (torn && state == TORN)) {
            return mark - LENGTH;
        }
    }
    return NULL;
}

/* The rest of a torn record may come. But the Engine does not look at what a log ends with: after a write
 * that failed half-way, or as it starts again, it appends the next record (20.10 to 29, see moby
 * daemon/logger/loggerutils/logfile.go). So where a whole one stands in the torn one's text, the rest will not
 * come. Of attributes that cannot be said; but all records of a container have the same, so the length tells
 * soon enough. */
static size_t damaged(const char *p, const char *end, bool last)
{
    struct entry e = {0};
    size_t size, len = (size_t)(end - p);
    enum state state = read_record(p, end, &e, &size);
    bool waits = state == TORN && !last;
    if (state == WHOLE || (waits && e.attributes)) {
        return 0;
    }
    const char *next_one = find_record(p, end, state == DAMAGED && !last);
    if (next_one || waits) {
        return next_one ? (size_t)(next_one - p) : 0;
    }
    size_t keep = last ? 0 : LENGTH + MARK_LEN - 1; /* may be the beginning of one */
    return len > keep ? len - keep : 0;
}

static const struct framing framing = {.longest = MESSAGE_MAX + 2 * LENGTH, .damaged = damaged};

const struct decoder decoder_local = {.name = "local", .next = next, .framing = &framing};
