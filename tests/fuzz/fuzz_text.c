/* Any bytes: escaped they are what jansson reads back, unescaped they are the same again; as escapes that
 * nobody checked they do no harm; shown on a terminal they hold no control bytes; in logfmt they are one
 * pair. */
#include <jansson.h>

#include "base/logfmt.h"
#include "base/text.h"
#include "encode/terminal.h"
#include "fuzz.h"

static void round_trip(struct slice raw)
{
    static struct buf quoted, back;
    quoted.len = back.len = 0;
    CHECK(buf_add(&quoted, "\"", 1) == 0 && text_escape(&quoted, raw) == 0 && buf_add(&quoted, "\"", 1) == 0);
    json_t *json = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    CHECK(json);
    struct slice judged = {json_string_value(json), json_string_length(json)};
    CHECK(text_unescape(&back, slice_of(quoted.data + 1, quoted.len - 2)) == 0);
    CHECK(slice_eq(slice_of(back.data, back.len), judged));
    CHECK(slice_eq(judged, raw) == text_utf8_valid(raw));
    json_decref(json);
    static struct buf again;
    again.len = 0;
    CHECK(text_reescape(&again, slice_of(quoted.data + 1, quoted.len - 2)) == 0);
    quoted.len = 0;
    CHECK(text_escape(&quoted, slice_of(back.data, back.len)) == 0);
    CHECK(slice_eq(slice_of(again.data, again.len), slice_of(quoted.data, quoted.len)));
}

/* A key and a value of any bytes are one pair, and the value reads back. */
static void logfmt(struct slice bytes)
{
    static struct buf line, back, want;
    struct slice rest, pair;
    line.len = back.len = want.len = 0;
    CHECK(logfmt_add_key(&line, bytes) == 0 && buf_add(&line, "=", 1) == 0);
    size_t key = line.len;
    CHECK(logfmt_add_value(&line, bytes) == 0 && text_utf8_valid(slice_of(line.data, line.len)));
    rest = slice_of(line.data, line.len);
    CHECK(logfmt_next(&rest, &pair) && pair.len == line.len && rest.len == 0);
    struct slice value = slice_of(line.data + key, line.len - key);
    if (value.ptr[0] != '"') {
        CHECK(slice_eq(value, bytes));
        return;
    }
    CHECK(text_unescape(&back, slice_of(value.ptr + 1, value.len - 2)) == 0);
    line.len = 0;
    CHECK(text_escape(&line, bytes) == 0 && text_unescape(&want, slice_of(line.data, line.len)) == 0);
    CHECK(slice_eq(slice_of(back.data, back.len), slice_of(want.data, want.len)));
}

static void unchecked(struct slice bytes)
{
    static struct buf out;
    out.len = 0;
    CHECK(text_unescape(&out, bytes) == 0 && out.len <= bytes.len);
    out.len = 0;
    CHECK(text_reescape(&out, bytes) == 0);
}

static void shown(struct slice bytes)
{
    static struct buf out;
    bool colored = false;
    out.len = 0;
    CHECK(terminal_put(&out, bytes, false, &colored) == 0 && !colored);
    CHECK(text_utf8_valid(slice_of(out.data, out.len)));
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        CHECK((c >= 0x20 || c == '\t') && c != 0x7f);
        CHECK(c != 0xc2 || (unsigned char)out.data[i + 1] >= 0xa0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size ? size : 1);
    CHECK(exact);
    memcpy(exact, data, size);
    struct slice bytes = {exact, size};
    round_trip(bytes);
    unchecked(bytes);
    shown(bytes);
    logfmt(bytes);
    free(exact);
    return 0;
}
