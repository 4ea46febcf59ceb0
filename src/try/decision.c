#include "decision.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "made.h"
#include "record/severity.h"

/* Text of any bytes as a JSON string; what is not UTF-8 is U+FFFD there. */
static json_t *string_of(struct slice text, bool escaped)
{
    struct buf valid = {0}, raw = {0};
    if ((escaped ? buf_add_slice(&valid, text) : text_escape(&valid, text)) < 0 ||
        text_unescape(&raw, slice_of(valid.data, valid.len)) < 0) {
        die_out_of_memory();
    }
    json_t *string = made(json_stringn(raw.len > 0 ? raw.data : "", raw.len));
    buf_free(&valid);
    buf_free(&raw);
    return string;
}

static json_t *rule_of(const char *key, size_t index)
{
    char name[64];
    snprintf(name, sizeof(name), "%s[%zu]", key, index);
    return json_string(name);
}

static json_t *redactions_of(const struct shape_verdict *v)
{
    json_t *list = made(json_array());
    for (size_t i = 0; i < v->nredactions; i++) {
        const struct redaction *r = &v->redactions[i];
        json_t *one = made(json_pack("{s:I,s:I}", "from", (json_int_t)r->start, "to", (json_int_t)r->end));
        make_member(one, "rule", rule_of("redact", r->rule));
        make_member(one, "pattern", json_string(r->pattern));
        make_element(list, one);
    }
    return list;
}

static void tell_left_out(json_t *told, const struct shape_verdict *v)
{
    make_member(told, "dropped", v->pattern ? rule_of(v->left_out, v->rule) : json_string(v->left_out));
    if (v->pattern) {
        make_member(told, "pattern", json_string(v->pattern));
    }
    make_member(told, "text", string_of(v->rec->text, v->rec->escaped));
}

static void tell_emitted(json_t *told, const struct shape_verdict *v)
{
    if (v->rec->level != SEVERITY_NONE) {
        make_member(told, "level", json_string(severity_name(v->rec->level)));
    }
    if (v->all_redacted) {
        make_member(told, "redacted", json_string("all: a pattern of redact hit its limit"));
    } else if (v->nredactions > 0) {
        make_member(told, "redacted", redactions_of(v));
    }
}

static struct decision *add(struct decisions *list, struct decision how)
{
    struct decision *d = malloc(sizeof(*d));
    if (!d) {
        die_out_of_memory();
    }
    *d = how;
    d->told = made(json_object());
    STAILQ_INSERT_TAIL(list, d, link);
    return d;
}

void decisions_add(struct decisions *list, const struct shape_verdict *v)
{
    struct decision *d = add(
        list, (struct decision){
                  .stream = v->rec->stream, .lines = v->lines, .notice = v->notice, .emitted = !v->left_out});
    if (v->notice) {
        make_member(d->told, "notice", json_true());
    }
    if (v->left_out) {
        tell_left_out(d->told, v);
    } else {
        tell_emitted(d->told, v);
    }
}

static struct decision *next_to_encode(struct decisions *list, const struct item *item)
{
    struct decision *d;
    STAILQ_FOREACH(d, list, link)
    {
        if (d->emitted && !d->in_batch) {
            return d;
        }
    }
    return add(list, (struct decision){.stream = item->stream, .lines = !item->partial, .emitted = true});
}

void decisions_encode(struct decisions *list, const struct item *item, struct slice text,
                      enum format_kind format)
{
    struct decision *d = next_to_encode(list, item);
    json_t *object = format == FORMAT_JSON ? json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL) : NULL;
    if (item->partial) {
        make_member(d->told, "partial", json_true());
    }
    make_member(d->told, "encoded", object ? object : string_of(text, false));
    d->in_batch = true;
    if (buf_add_slice(&d->encoded, text) < 0) {
        die_out_of_memory();
    }
}

struct decision *decisions_take(struct decisions *list)
{
    struct decision *d = STAILQ_FIRST(list);
    if (d) {
        STAILQ_REMOVE_HEAD(list, link);
    }
    return d;
}

void decision_free(struct decision *d)
{
    json_decref(d->told);
    buf_free(&d->encoded);
    free(d);
}
