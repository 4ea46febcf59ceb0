/* Redaction: what matches is replaced, also where JSON spells it in escapes, and across the pieces of a line
 * that was cut. */
#include "redact.h"

#include <stdlib.h>

#include "base/metrics.h"
#include "base/text.h"

#define ESCAPE_MAX 6 /* bytes of \uXXXX */

int redactor_init(struct redactor *r, const struct config *cfg, struct error *err)
{
    if (regexps_new(&r->secrets, &cfg->redact, "redact", err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < r->secrets.count; i++) {
        if (regexp_refuse_empty(r->secrets.items[i], cfg->redact.items[i], "redact", err) < 0) {
            return -1;
        }
    }
    return buf_add_slice(&r->with, slice_str(cfg->redact_with)) < 0 ? error_set(err, "out of memory") : 0;
}

void redactor_free(struct redactor *r)
{
    regexps_free(&r->secrets);
    free(r->spans);
    buf_free(&r->with);
    buf_free(&r->subject);
    buf_free(&r->out);
    buf_free(&r->plain);
}

static int add_span(struct redactor *r, struct span span, size_t rule)
{
    if (r->nspans == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct redaction *spans = realloc(r->spans, cap * sizeof(*spans));
        if (!spans) {
            return -1;
        }
        r->spans = spans;
        r->cap = cap;
    }
    r->spans[r->nspans++] = (struct redaction){span.start, span.end, rule, r->secrets.texts[rule]};
    return 0;
}

/* Adds all matches of one expression. REGEXP_NONE when through, REGEXP_LIMIT, or -1 (memory). */
static int find_all(struct redactor *r, size_t rule, struct slice text, bool cut)
{
    struct regexp *re = r->secrets.items[rule];
    size_t from = 0;
    struct span at;
    enum regexp_result result;
    while ((result = regexp_find(re, text, from, &at)) == REGEXP_FOUND) {
        if (at.end <= at.start) { /* one that is empty only here, such as by a look around */
            if (at.start >= text.len) {
                result = REGEXP_NONE;
                break;
            }
            from = at.start + 1;
            while (from < text.len && ((unsigned char)text.ptr[from] & 0xC0) == 0x80) {
                from++;
            }
            continue;
        }
        if (add_span(r, at, rule) < 0) {
            return -1;
        }
        from = at.end;
    }
    if (result == REGEXP_NONE && cut) {
        result = regexp_find_cut(re, text, from, &at);
        if (result == REGEXP_FOUND) {
            return at.start < at.end && add_span(r, at, rule) < 0 ? -1 : REGEXP_NONE;
        }
    }
    return (int)result;
}

/* Adds the matches of all expressions. */
static int find_secrets(struct redactor *r, struct slice text, bool cut)
{
    for (size_t i = 0; i < r->secrets.count; i++) {
        int result = find_all(r, i, text, cut);
        if (result != REGEXP_NONE) {
            return result;
        }
    }
    return REGEXP_NONE;
}

static int by_start(const void *a, const void *b)
{
    const struct redaction *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorts the spans from `first` on; those that overlap become one. */
static void merge(struct redactor *r, size_t first)
{
    size_t n = first;
    if (r->nspans > first) {
        qsort(r->spans + first, r->nspans - first, sizeof(*r->spans), by_start);
    }
    for (size_t i = first; i < r->nspans; i++) {
        struct redaction s = r->spans[i];
        if (n > first && s.start < r->spans[n - 1].end) {
            r->spans[n - 1].end = s.end > r->spans[n - 1].end ? s.end : r->spans[n - 1].end;
        } else {
            r->spans[n++] = s;
        }
    }
    r->nspans = n;
}

/* The text without the beginning of an escape that a cut left at its end. */
static struct slice without_cut_escape(struct slice text)
{
    size_t back = text.len < ESCAPE_MAX ? text.len : ESCAPE_MAX - 1, slashes = 0;
    const char *p = memrchr(text.ptr + text.len - back, '\\', back);
    if (!p) {
        return text;
    }
    for (const char *q = p; q > text.ptr && q[-1] == '\\'; q--) {
        slashes++;
    }
    size_t left = (size_t)(text.ptr + text.len - p);
    bool begun = left == 1 || (left > 1 && p[1] == 'u');
    text.len -= begun && slashes % 2 == 0 ? left : 0;
    return text;
}

/* The place in the escaped text of `goal` in the plain one, going on from *p, which is the place of *at. */
static size_t place_of(struct slice text, size_t goal, size_t *p, size_t *at)
{
    char plain[4], *to;
    while (*at < goal && *p < text.len) {
        if (text.ptr[*p] == '\\') {
            to = plain;
            *p += text_take_escape(text.ptr + *p, text.ptr + text.len, &to);
            *at += (size_t)(to - plain);
        } else {
            (*p)++;
            (*at)++;
        }
    }
    return *p;
}

/* JSON can spell a secret in its own escapes ("p\u0061ssword", "https:\/\/"): adds the spans of what matches
 * without them. */
static int find_hidden(struct redactor *r, struct slice text, bool cut)
{
    size_t first = r->nspans, p = 0, at = 0;
    if (!memchr(text.ptr, '\\', text.len)) {
        return REGEXP_NONE;
    }
    r->plain.len = 0;
    if (text_unescape(&r->plain, cut ? without_cut_escape(text) : text) < 0) {
        return -1;
    }
    int result = find_secrets(r, slice_of(r->plain.data, r->plain.len), cut);
    if (result != REGEXP_NONE) {
        return result;
    }
    merge(r, first); /* so that the places are asked for in their order */
    for (size_t i = first; i < r->nspans; i++) {
        struct redaction *s = &r->spans[i];
        s->start = place_of(text, s->start, &p, &at);
        s->end = cut && s->end == r->plain.len ? text.len : place_of(text, s->end, &p, &at);
    }
    return REGEXP_NONE;
}

int redact_all(struct redactor *r, struct slice *text)
{
    metrics.redaction_failures++;
    r->nspans = 0;
    r->out.len = 0;
    if (buf_add_slice(&r->out, slice_of(r->with.data, r->with.len)) < 0) {
        return -1;
    }
    *text = slice_of(r->out.data, r->out.len);
    return 0;
}

/* Writes the text from `skip` on with its secrets replaced; r->spans are then those, counted from there. */
static int replace(struct redactor *r, struct slice subject, size_t skip, struct slice *text)
{
    size_t at = skip, n = 0;
    r->out.len = 0;
    for (size_t i = 0; i < r->nspans; i++) {
        struct redaction s = r->spans[i];
        if (s.end <= skip) {
            continue;
        }
        s.start = s.start > skip ? s.start : skip;
        if (buf_add(&r->out, subject.ptr + at, s.start - at) < 0 ||
            buf_add(&r->out, r->with.data, r->with.len) < 0) {
            return -1;
        }
        metrics.redactions++;
        at = s.end;
        s.start -= skip;
        s.end -= skip;
        r->spans[n++] = s;
    }
    r->nspans = n;
    if (n == 0) {
        return 0;
    }
    if (buf_add(&r->out, subject.ptr + at, subject.len - at) < 0) {
        return -1;
    }
    *text = slice_of(r->out.data, r->out.len);
    return 0;
}

int redact(struct redactor *r, struct slice before, bool cut, struct slice *text)
{
    struct slice subject = *text;
    if (before.len > 0) {
        r->subject.len = 0;
        if (buf_add_slice(&r->subject, before) < 0 || buf_add_slice(&r->subject, *text) < 0) {
            return -1;
        }
        subject = slice_of(r->subject.data, r->subject.len);
    }
    r->nspans = 0;
    r->far = false;
    int result = subject.len > 0 ? find_secrets(r, subject, cut) : REGEXP_NONE;
    if (result == REGEXP_NONE && subject.len > 0) {
        result = find_hidden(r, subject, cut);
    }
    if (result == REGEXP_LIMIT) {
        return redact_all(r, text);
    }
    if (result < 0 || r->nspans == 0) {
        return result < 0 ? -1 : 0;
    }
    merge(r, 0);
    struct redaction last = r->spans[r->nspans - 1];
    r->far = cut && last.end == subject.len && subject.len - last.start > REDACT_CONTEXT;
    return replace(r, subject, before.len, text);
}
