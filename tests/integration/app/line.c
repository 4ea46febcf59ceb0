#include "line.h"

#include <string.h>

enum { POOL = 65536, CLASSES = 6 };

static const char *const class_names[CLASSES] = {"ascii", "utf8", "nul", "invalid", "escape", "ansi"};

/* What the payloads of each class are cut from. */
static char pools[CLASSES][POOL];
static uint32_t crc_table[8][256];

uint64_t line_random(struct line_random *random)
{
    uint64_t x = random->state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    random->state = x;
    return x * 0x2545f4914f6cdd1dULL >> 16;
}

unsigned line_class(const char *name)
{
    for (unsigned i = 0; i < CLASSES; i++)
        if (strcmp(name, class_names[i]) == 0)
            return 1U << i;
    return 0;
}

static void crc_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
        crc_table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            crc_table[k][i] = crc_table[k - 1][i] >> 8 ^ crc_table[0][crc_table[k - 1][i] & 255];
}

/* Eight bytes a step, so that checksums do not bound how fast lines are written. Starts from and gives back
 * the inner state: the checksum is its complement. */
static uint32_t crc_update(uint32_t crc, const char *data, size_t size)
{
    const unsigned char *p = (const unsigned char *)data;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= crc_table[7 - k][word >> 8 * k & 255];
    }
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 255];
    return crc;
}

/* Length of the UTF-8 character at p, 0 when there is none (as Unicode has it: no surrogate, nothing
 * overlong). */
static size_t utf8_length(const unsigned char *p, size_t size)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (size < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

static uint32_t crc_docker_piece(uint32_t crc, const char *data, size_t size)
{
    size_t done = 0, at = 0;
    while (at < size) {
        size_t length = utf8_length((const unsigned char *)data + at, size - at);
        if (length == 0) {
            crc = crc_update(crc, data + done, at - done);
            crc = crc_update(crc, "\xef\xbf\xbd", 3);
            done = at + 1;
        }
        at += length > 0 ? length : 1;
    }
    return crc_update(crc, data + done, size - done);
}

/* `skip` bytes of the line come before the part that is summed. */
static uint32_t crc_docker(const char *line, size_t skip, size_t size, size_t piece)
{
    uint32_t crc = ~0U;
    size_t from = skip;
    while (from < size) {
        size_t to = piece > 0 ? (from / piece + 1) * piece : size;
        if (to > size)
            to = size;
        crc = crc_docker_piece(crc, line + from, to - from);
        from = to;
    }
    return ~crc;
}

static const char *const pieces_utf8[] = {"ä", "é", "ß",      "字",     "日本", "Ω", "€",
                                          "𝄞", "😀", "\u2028", "\ufeff", "a",    " "};
static const char *const pieces_escape[] = {"\\",        "\"", "\t", "\r.",  "<b>",     "&amp;",
                                            "\x7f",      "\b", "\f", "\x01", "\\u0041", "\\n",
                                            "{\"a\":1}", "/",  "'",  "x"};
static const char *const pieces_ansi[] = {"\033[31m",       "\033[0m", "\033[1;32m", "\033[2K",
                                          "\033]0;title\a", "error ",  "word ",      "=== "};

static void fill_from(char *pool, const char *const *pieces, size_t count, struct line_random *random)
{
    size_t at = 0;
    for (;;) {
        const char *piece = pieces[line_random(random) % count];
        size_t size = strlen(piece);
        if (at + size > POOL)
            break;
        memcpy(pool + at, piece, size);
        at += size;
    }
    memset(pool + at, '.', POOL - at);
}

void line_init(uint64_t seed)
{
    struct line_random random = {seed * 0x9e3779b97f4a7c15ULL + 1};
    crc_init();
    for (int i = 0; i < POOL; i++) {
        pools[0][i] = (char)(' ' + line_random(&random) % 95);
        pools[2][i] = line_random(&random) % 4 ? 'n' : '\0';
        /* Any byte but a newline, which would end the line. */
        pools[3][i] = (char)(line_random(&random) & 255);
        if (pools[3][i] == '\n')
            pools[3][i] = 'n';
    }
    fill_from(pools[1], pieces_utf8, sizeof(pieces_utf8) / sizeof(*pieces_utf8), &random);
    fill_from(pools[4], pieces_escape, sizeof(pieces_escape) / sizeof(*pieces_escape), &random);
    fill_from(pools[5], pieces_ansi, sizeof(pieces_ansi) / sizeof(*pieces_ansi), &random);
}

static unsigned choose_class(unsigned classes, struct line_random *random)
{
    unsigned count = (unsigned)__builtin_popcount(classes);
    if (count == 0)
        return 0;
    for (unsigned skip = (unsigned)(line_random(random) % count); skip > 0; skip--)
        classes &= classes - 1;
    return (unsigned)__builtin_ctz(classes);
}

/* Replaces what is left of a character that was cut in two at either end, and a carriage return at the very
 * end, which could not be told from one that a terminal added. */
static void mend_ends(char *p, size_t size)
{
    size_t start = 0, end = size;
    while (start < size && ((unsigned char)p[start] & 0xc0) == 0x80)
        p[start++] = '.';
    while (end > start && ((unsigned char)p[end - 1] & 0xc0) == 0x80)
        end--;
    if (end > start && utf8_length((unsigned char *)p + end - 1, size - end + 1) != size - end + 1)
        memset(p + end - 1, '.', size - end + 1);
    if (size > 0 && p[size - 1] == '\r')
        p[size - 1] = '.';
}

static void fill_payload(char *out, size_t size, unsigned class, struct line_random *random)
{
    size_t first = size < LINE_PERIOD ? size : LINE_PERIOD;
    memcpy(out, pools[class] + line_random(random) % (POOL - LINE_PERIOD), first);
    if (class != 3)
        mend_ends(out, first);
    else if (first > 0 && out[first - 1] == '\r')
        out[first - 1] = '.';
    for (size_t at = first; at < size; at += LINE_PERIOD)
        memcpy(out + at, out, size - at < LINE_PERIOD ? size - at : LINE_PERIOD);
    if (size > LINE_PERIOD && class != 3)
        mend_ends(out + size - size % LINE_PERIOD, size % LINE_PERIOD);
}

static char *put_number(char *out, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        *out++ = digits[--count];
    *out++ = ' ';
    return out;
}

static void put_hex(char *out, uint32_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

size_t line_max(const struct line_style *style)
{
    size_t length = style->length_max > style->long_length ? style->length_max : style->long_length;
    return LINE_HEADER_MAX + LINE_WRITER_MAX + length;
}

size_t line_make(char *out, const struct line_style *style, struct line_random *random, const char *writer,
                 char stream, uint64_t seq)
{
    const size_t skip = 19;
    size_t length = style->length_min + line_random(random) % (style->length_max - style->length_min + 1);
    if (style->long_every > 0 && seq % style->long_every == style->long_every - 1)
        length = style->long_length;
    unsigned class = choose_class(style->classes, random);

    char *p = out + skip;
    size_t name = strlen(writer);
    memcpy(p, writer, name);
    p += name;
    *p++ = ' ';
    *p++ = stream;
    *p++ = ' ';
    p = put_number(p, seq);
    p = put_number(p, length);
    fill_payload(p, length, class, random);
    size_t size = (size_t)(p - out) + length;

    uint32_t crc = ~crc_update(~0U, out + skip, size - skip);
    memcpy(out, "@xxxxxxxx xxxxxxxx ", skip);
    put_hex(out + 1, crc);
    put_hex(out + 10, class == 1 || class == 3 ? crc_docker(out, skip, size, style->piece) : crc);
    return size;
}
