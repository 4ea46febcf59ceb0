#include "base/clock.h"
#include "decode/decode.h"
#include "timestamp.h"

/* Splits the next word off, and the space behind it; empty when there is no space. */
static struct slice take_word(struct slice *rest)
{
    const char *space = memchr(rest->ptr, ' ', rest->len);
    if (!space) {
        return slice_of(rest->ptr, 0);
    }
    struct slice word = {rest->ptr, (size_t)(space - rest->ptr)};
    *rest = slice_of(space + 1, rest->len - word.len - 1);
    return word;
}

/* Empty when there is none. */
static struct slice take_time(struct slice *rest)
{
    size_t len = timestamp_length(rest->ptr);
    if (len > 0 && len < rest->len && rest->ptr[len] == ' ') {
        struct slice time = {rest->ptr, len};
        *rest = slice_of(rest->ptr + len + 1, rest->len - len - 1);
        return time;
    }
    int64_t ns;
    struct slice time = take_word(rest);
    return clock_parse(time, &ns) < 0 ? slice_of(time.ptr, 0) : time;
}

/* The tags: P or F, then perhaps others after colons. A line that ends with them has no text. */
static int take_tags(struct slice *rest, bool *more)
{
    if (rest->len == 0 || (rest->ptr[0] != 'P' && rest->ptr[0] != 'F')) {
        return -1;
    }
    *more = rest->ptr[0] == 'P';
    struct slice tags = take_word(rest);
    if (tags.len == 0) {
        tags = *rest;
        *rest = slice_of(tags.ptr + tags.len, 0);
    }
    return tags.len == 1 || tags.ptr[1] == ':' ? 0 : -1;
}

static int read_line(struct slice line, struct record *out)
{
    struct slice time = take_time(&line);
    if (time.len == 0) {
        return -1;
    }
    struct slice stream = take_word(&line);
    bool more, is_err = slice_eq(stream, SLICE("stderr"));
    if ((!is_err && !slice_eq(stream, SLICE("stdout"))) || take_tags(&line, &more) < 0) {
        return -1;
    }
    *out = (struct record){
        .text = line,
        .time = time,
        .stream = is_err ? STREAM_STDERR : STREAM_STDOUT,
        .more = more,
    };
    return 0;
}

static size_t next(const char *p, const char *end, struct record *out, struct buf *scratch)
{
    size_t taken = decoder_plain.next(p, end, out, scratch);
    if (taken > 0 && read_line(slice_of(p, taken - 1), out) < 0) {
        out->malformed = true;
    }
    return taken;
}

const struct decoder decoder_cri = {.name = "cri", .next = next};
