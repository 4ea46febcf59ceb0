#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "config/config.h"
#include "encode/encode.h"
#include "encode/pretty/pretty.h"
#include "encode/terminal.h"

#define RESET "\x1b[0m"

struct raw {
    bool terminal; /* the output is one */
    bool color;    /* the colours of the text may be written */
    struct buf text;
};

static void *open_state(const struct config *cfg, bool terminal)
{
    struct raw *raw = calloc(1, sizeof(*raw));
    if (raw) {
        raw->terminal = terminal && isatty(STDOUT_FILENO);
        raw->color = raw->terminal && pretty_color((int)cfg->color, true);
    }
    return raw;
}

static void close_state(void *state)
{
    struct raw *raw = state;
    buf_free(&raw->text);
    free(raw);
}

/* The text without what a terminal would obey, and without the carriage return of a container with one. */
static int put_safely(const struct raw *raw, struct slice text, struct buf *out)
{
    text.len -= text.len > 0 && text.ptr[text.len - 1] == '\r';
    for (;;) {
        const char *newline = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
        size_t len = newline ? (size_t)(newline - text.ptr) : text.len;
        bool colored = false;
        if (terminal_put(out, slice_of(text.ptr, len), raw->color, &colored) < 0 ||
            (colored && buf_add(out, RESET, sizeof(RESET) - 1) < 0) ||
            (newline && buf_add(out, "\n", 1) < 0)) {
            return -1;
        }
        if (!newline) {
            return 0;
        }
        text = slice_of(newline + 1, text.len - len - 1);
    }
}

static int put_for_terminal(struct raw *raw, const struct record *rec, struct buf *out)
{
    struct slice text = rec->text;
    raw->text.len = 0;
    if (rec->escaped) {
        if (text_unescape(&raw->text, rec->text) < 0) {
            return -1;
        }
        text = slice_of(raw->text.data, raw->text.len);
    }
    return put_safely(raw, text, out);
}

static int encode(void *state, const struct tags *tags, const struct record *rec, struct buf *out)
{
    (void)tags;
    struct raw *raw = state;
    const size_t before = out->len;
    int result = raw && raw->terminal ? put_for_terminal(raw, rec, out)
                 : rec->escaped       ? text_unescape(out, rec->text)
                                      : buf_add_slice(out, rec->text);
    if (result < 0 || buf_add(out, "\n", 1) < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

const struct encoder encoder_raw = {"raw", encode, open_state, close_state};
