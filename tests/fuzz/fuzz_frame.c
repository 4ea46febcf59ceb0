/* The Engine's streams: frames and a terminal's lines are cut the same wherever the bytes are torn; nothing
 * is lost or made up. */
#include <stdint.h>
#include <stdlib.h>

#include "decode/frame.h"
#include "fuzz.h"

/* Frames up to `end`, the first `torn` bytes having come before the others: the bytes taken. */
static size_t walk_frames(const char *begin, const char *end, size_t torn, size_t *count)
{
    const char *p = begin, *have = begin + torn;
    struct frame frame;
    size_t need;
    *count = 0;
    for (;;) {
        ssize_t taken = frame_next(p, have, &frame, &need, NULL);
        if (taken < 0) {
            break;
        }
        if (taken == 0) {
            CHECK(need > 0);
            if (have == end) {
                break;
            }
            have = end;
            continue;
        }
        CHECK(frame.payload.ptr == p + FRAME_HEADER && taken == (ssize_t)(frame.payload.len + FRAME_HEADER));
        struct message m;
        bool timed = message_parse(frame.payload, &m);
        CHECK(timed == (m.time.len > 0));
        CHECK(m.text.ptr + m.text.len + m.newline == frame.payload.ptr + frame.payload.len);
        CHECK(m.text.ptr == frame.payload.ptr + m.time.len + timed);
        p += taken;
        (*count)++;
    }
    return (size_t)(p - begin);
}

static size_t walk_tty(struct tty_cutter cutter, const char *begin, const char *end, size_t torn,
                       size_t *count)
{
    const char *p = begin, *have = begin + torn;
    *count = 0;
    while (p < end) {
        struct message m;
        ssize_t taken = p < have ? tty_next(&cutter, p, have, have == end, &m, NULL) : 0;
        CHECK(taken >= 0);
        if (taken == 0) {
            CHECK(have < end);
            have = end;
            continue;
        }
        CHECK(m.text.ptr >= p && m.text.ptr + m.text.len + m.newline == p + taken);
        CHECK(!memchr(m.text.ptr, '\n', m.text.len));
        p += taken;
        (*count)++;
    }
    return (size_t)(p - begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct tty_cutter cutter = {.bare_end = data[0] & 1,
                                .started_ns = data[0] & 2 ? INT64_C(1795528099283392083) : 0};
    size_t torn = data[1] * (size - 2) / 255, whole_count, torn_count;
    char *input = malloc(size - 2 + (size == 2)); /* no byte behind it may be read */
    memcpy(input, data + 2, size - 2);
    const char *end = input + size - 2;
    size_t whole = walk_frames(input, end, size - 2, &whole_count);
    CHECK(walk_frames(input, end, torn, &torn_count) == whole && torn_count == whole_count);
    CHECK(walk_tty(cutter, input, end, size - 2, &whole_count) == size - 2);
    CHECK(walk_tty(cutter, input, end, torn, &torn_count) == size - 2);
    CHECK(torn_count == whole_count);
    free(input);
    return 0;
}
