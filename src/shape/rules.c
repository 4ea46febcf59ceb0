#include "rules.h"

#include <stdlib.h>

#include "base/text.h"

bool shape_wanted(const struct config *cfg)
{
    return cfg->multiline_rule[0] || cfg->parse_json[0] || cfg->detect_level || cfg->redact.count ||
           cfg->drop.count || cfg->keep.count || cfg->rate_limit;
}

/* What whoever may start a container gave must not hold up the lines of others. */
static void set_budget(struct shape *s, const struct config *cfg)
{
    regexps_pay_from(&s->drop, cfg->hinted.drop, &s->budget);
    regexps_pay_from(&s->redactor.secrets, cfg->hinted.redact, &s->budget);
    if (s->multiline && cfg->hinted.multiline) {
        multiline_pay_from(s->multiline, &s->budget);
    }
}

/* Where labels join lines, the operator's rules for lines hold within groups all the same. */
static int see_lines(struct shape *s, const struct config *cfg)
{
    s->never_join = cfg->hinted.drop;
    return regexps_see_lines(&s->redactor.secrets, cfg->hinted.redact);
}

static int set_up(struct shape *s, const struct config *cfg, struct error *err)
{
    if (cfg->multiline_rule[0] && !(s->multiline = multiline_new(cfg, err))) {
        return -1;
    }
    if (regexps_new(&s->drop, &cfg->drop, "drop", err) < 0 ||
        regexps_new(&s->keep, &cfg->keep, "keep", err) < 0 || redactor_init(&s->redactor, cfg, err) < 0) {
        return -1;
    }
    if (cfg->parse_json[0] && (buf_add(&s->payload_key, ",\"", 2) < 0 ||
                               text_escape(&s->payload_key, slice_str(cfg->parse_json)) < 0 ||
                               buf_add(&s->payload_key, "\":", 2) < 0)) {
        return error_set(err, "out of memory");
    }
    if (cfg->hinted.joins && see_lines(s, cfg) < 0) {
        return error_set(err, "out of memory");
    }
    if (cfg->hinted.any) {
        set_budget(s, cfg);
    }
    s->wait_ns = cfg->multiline_wait;
    s->line_max = (size_t)cfg->line_max;
    s->held_max = (size_t)cfg->memory_max / 8;
    s->rate = (struct rate){cfg->rate_limit, cfg->rate_burst ? cfg->rate_burst : cfg->rate_limit};
    s->detect = cfg->detect_level;
    s->reads_text = s->multiline || s->drop.count || s->keep.count || cfg->redact.count || s->detect ||
                    s->payload_key.len;
    return 0;
}

struct shape *shape_new(const struct config *cfg, struct error *err)
{
    struct shape *s = calloc(1, sizeof(*s));
    if (!s) {
        error_set(err, "out of memory");
        return NULL;
    }
    s->refs = 1;
    s->held = &s->own_held;
    if (set_up(s, cfg, err) < 0) {
        shape_unref(s);
        return NULL;
    }
    return s;
}

size_t shape_hinted_size(const struct shape *s)
{
    return s->budget.size;
}

bool shape_hints_slow(const struct shape *s)
{
    return s->budget.said;
}

void shape_unref(struct shape *s)
{
    if (!s || --s->refs > 0) {
        return;
    }
    multiline_free(s->multiline);
    regexps_free(&s->drop);
    regexps_free(&s->keep);
    redactor_free(&s->redactor);
    buf_free(&s->payload_key);
    buf_free(&s->raw);
    buf_free(&s->payload);
    free(s);
}
