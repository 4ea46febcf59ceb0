/* The shape in which Docker writes a line, decoded in place: text is looked through 64 bytes at a time as bit
 * masks. */
#include "base/scan.h"
#include "base/text.h"
#include "decode/decode.h"
#include "decode/timestamp.h"

struct masks {
    uint64_t quote, backslash;
    uint64_t special; /* control or not ASCII */
};

static inline struct masks look(const char *p)
{
    struct scan64 v = scan64_load(p);
    return (struct masks){scan64_equal(v, '"'), scan64_equal(v, '\\'), scan64_control_or_high(v)};
}

/* The characters that are escaped: those behind a run of backslashes of odd length (within the run they
 * escape one another, which is always right). Adding a run's first bit to it carries through to the place
 * behind it; whether that place and the first are both even or both odd tells the length's parity. `*carry`
 * in: the block's first character is escaped; out: the next block's is. */
static inline uint64_t escaped_by(uint64_t backslash, uint64_t *carry)
{
    const uint64_t even = UINT64_C(0x5555555555555555);
    uint64_t first = *carry;
    backslash &= ~first;
    uint64_t starts = backslash & ~(backslash << 1);
    unsigned long long behind_even = backslash + (starts & even), behind_odd;
    *carry = __builtin_uaddll_overflow(backslash, starts & ~even, &behind_odd);
    return (((behind_even & ~even) | (behind_odd & even)) & ~backslash) | first;
}

static inline bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Four hex digits at p. Left to jansson: surrogates, and a newline in disguise, for a line's last
 * one is cut. */
static bool unicode_fits(const char *p, const char *end)
{
    if (end - p < 4 || !is_hex(p[0]) || !is_hex(p[1]) || !is_hex(p[2]) || !is_hex(p[3])) {
        return false;
    }
    bool surrogate = (p[0] | 0x20) == 'd' && p[1] >= '8';
    bool newline = p[0] == '0' && p[1] == '0' && p[2] == '0' && (p[3] | 0x20) == 'a';
    return !surrogate && !newline;
}

/* May the character at p stand behind an escape's backslash? (Quotes do not come here.) */
static inline bool escape_fits(const char *p, const char *end)
{
    switch (*p) {
    case 'n':
    case 't':
    case 'r':
    case 'b':
    case 'f':
    case '/':
    case '\\':
        return true;
    case 'u':
        return unicode_fits(p + 1, end);
    default:
        return false;
    }
}

struct string {
    const char *quote;   /* that ends it; NULL: torn, or not for us */
    const char *newline; /* the n of the last \n in it */
    bool high;           /* holds more than ASCII, still to be checked */
};

/* Looks through the string whose first character is at p. */
static inline struct string find_end(const char *p, const char *end)
{
    struct string s = {NULL, NULL, false};
    uint64_t carry = 0;
    for (; p < end; p += 64) {
        struct masks m = look(p);
        uint64_t escaped = escaped_by(m.backslash, &carry);
        uint64_t close = m.quote & ~escaped;
        uint64_t inside = (close - 1) & ~close; /* all below the first such quote; all when there is none */
        if (m.special & inside) {
            if (m.special & ~scan64_high(scan64_load(p)) & inside) {
                return s; /* a control byte */
            }
            s.high = true;
        }
        for (uint64_t rest = escaped & ~m.quote & inside; rest; rest &= rest - 1) {
            const char *c = p + __builtin_ctzll(rest);
            if (!escape_fits(c, end)) {
                return s;
            }
            s.newline = *c == 'n' ? c : s.newline;
        }
        if (close) {
            s.quote = p + __builtin_ctzll(close);
            return s;
        }
    }
    return s;
}

#define HEAD   "{\"log\":\""
#define STREAM "\",\"stream\":\"std" /* out or err */
#define ATTRS  ",\"attrs\":{"
#define TIME   ",\"time\":\""
#define TAIL   "\"}\n"
#define LEN(s) (sizeof(s) - 1)

static bool string_fits(struct slice text, bool high)
{
    return !high || text_utf8_valid(text);
}

/* The string at p, its first quote included; empty (NULL) when there is none, or none for us. */
static struct slice take_string(const char *p, const char *end)
{
    struct string s = *p == '"' ? find_end(p + 1, end) : (struct string){0};
    if (!s.quote || s.quote >= end) {
        return (struct slice){0};
    }
    struct slice text = {p + 1, (size_t)(s.quote - p - 1)};
    return string_fits(text, s.high) ? text : (struct slice){0};
}

static bool ascending(struct slice a, struct slice b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order < 0 || (order == 0 && a.len < b.len);
}

/* `{"key":"value",…}` at p < end, of a container with log options `labels`, `env` or `tag`: strings only,
 * their keys ascending as Go writes a map, so that none comes twice. Returns what lies behind it, NULL when
 * it is not for us. */
static const char *skip_attrs(const char *p, const char *end)
{
    struct slice last = {0};
    do {
        struct slice key = take_string(p + 1, end);
        if (!key.ptr || memchr(key.ptr, '\\', key.len) || (last.ptr && !ascending(last, key)) ||
            key.ptr[key.len + 1] != ':') {
            return NULL;
        }
        struct slice value = take_string(key.ptr + key.len + 2, end);
        if (!value.ptr) {
            return NULL;
        }
        last = key;
        p = value.ptr + value.len + 1;
    } while (*p == ',');
    return *p == '}' ? p + 1 : NULL;
}

/* `stdout` or `stderr`, from its fourth letter on, with the quote; -1 when neither. */
static inline int stream_at(const char *p)
{
    if (memcmp(p, "out\"", 4) == 0) {
        return STREAM_STDOUT;
    }
    return memcmp(p, "err\"", 4) == 0 ? STREAM_STDERR : -1;
}

size_t decode_json_fast(const char *p, const char *end, struct record *out)
{
    const char *text = p + LEN(HEAD);
    if (p >= end || memcmp(p, HEAD, LEN(HEAD)) != 0) {
        return 0;
    }
    struct string s = find_end(text, end);
    if (!s.quote || s.quote >= end || memcmp(s.quote, STREAM, LEN(STREAM)) != 0) {
        return 0;
    }
    int stream = stream_at(s.quote + LEN(STREAM));
    const char *time = s.quote + LEN(STREAM) + 4;
    if (time < end && memcmp(time, ATTRS, LEN(ATTRS)) == 0) {
        time = skip_attrs(time + LEN(ATTRS) - 1, end);
    }
    if (stream < 0 || !time || memcmp(time, TIME, LEN(TIME)) != 0) {
        return 0;
    }
    time += LEN(TIME);
    size_t time_len = timestamp_length(time);
    const char *tail = time + time_len;
    if (!time_len || memcmp(tail, TAIL, LEN(TAIL)) != 0 || tail + LEN(TAIL) > end) {
        return 0;
    }
    bool whole = s.newline && s.newline + 1 == s.quote;
    struct slice line = {text, (size_t)(s.quote - text) - (whole ? 2 : 0)};
    *out = (struct record){
        .text = line,
        .time = {time, time_len},
        .stream = (enum stream)stream,
        .escaped = true,
        .more = !whole && line.len >= PIECE_MIN && text_unescaped_length(line) >= PIECE_MIN,
    };
    return string_fits(out->text, s.high) ? (size_t)(tail - p) + LEN(TAIL) : 0;
}
