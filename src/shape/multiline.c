/* Which lines belong together. A rule is a small automaton: from a state, a line that matches leads to
 * another one; a line that matches nothing does not belong. State 0 is outside of any group. */
#include <stdlib.h>

#include "base/metrics.h"
#include "config/config.h"
#include "multiline.h"

enum { OUTSIDE = 0 };
enum rule { RULE_PYTHON, RULE_GO, RULE_JAVA, RULE_NODE, RULE_REGEX };
#define IN(state) (1U << (state))

struct step {
    uint8_t rule;
    uint16_t from; /* set of states */
    uint8_t to;
    const char *text;
    /* Bytes with which such a line may begin: told without a search. NULL: any, or none at all. */
    const char *first;
};

/* clang-format off */
static const struct step built_in[] = {
    /* Python: 1 frames, 2 behind the exception, 3 blank line behind it, 4 told that another one follows, 5
     * right behind the head, 6 in an exception group, 7 behind the rule that ends it or a group in it */
    {RULE_PYTHON, IN(OUTSIDE) | IN(4), 5, "Traceback \\(most recent call last\\):\\s*\\z", NULL},
    {RULE_PYTHON, IN(OUTSIDE), 4, "\\AException (?:in thread [^\"]|ignored in: )", "E"},
    {RULE_PYTHON, IN(OUTSIDE), 1, "\\A  File \"[^\"]+\", line \\d+\\z", " "},
    {RULE_PYTHON, IN(OUTSIDE) | IN(4), 6, "\\A  \\| .*\\(\\d+ sub-exceptions?\\)\\z", " "},
    {RULE_PYTHON, IN(5), 6, "\\A  \\|", " "},
    {RULE_PYTHON, IN(1) | IN(5), 1, "\\A[ \\t]", " \t"},
    {RULE_PYTHON, IN(1) | IN(5), 2, "\\A[\\w.<>\\x{80}-\\x{10ffff}]+(?::|\\z)", NULL},
    {RULE_PYTHON, IN(6), 7, "\\A +\\+-+\\s*\\z", " "},
    {RULE_PYTHON, IN(6) | IN(7), 6, "\\A +(?:\\||\\+-)", " "},
    {RULE_PYTHON, IN(2) | IN(3) | IN(7), 3, "\\A\\s*\\z", NULL},
    {RULE_PYTHON, IN(2), 2, "\\A[ \\t]", " \t"},
    {RULE_PYTHON, IN(3), 4, "\\A(?:During handling of the above exception|The above exception was the direct cause)", "DT"},
    {RULE_PYTHON, IN(4), 4, "\\A\\s*\\z", NULL},

    /* Go: 1 the panic's head, 2 goroutines, 3 the end */
    {RULE_GO, IN(OUTSIDE) | IN(1), 1, "\\A(?:panic: |fatal error: |unexpected fault address |runtime: goroutine stack|SIG[A-Z]+: )", "pfurS"},
    {RULE_GO, IN(OUTSIDE), 1, "http: panic serving \\S+: ", NULL},
    {RULE_GO, IN(OUTSIDE) | IN(1) | IN(2), 2, "\\Agoroutine \\d+ .*\\[[^\\]]+\\]:\\z", "g"},
    {RULE_GO, IN(1), 1, "\\A(?:\\s|\\z|\\[signal |PC=|runtime: |stack: |\\[recovered)", NULL},
    {RULE_GO, IN(1) | IN(2), 2, "\\A(?:runtime stack:|goroutine running on other thread)", "rg"},
    {RULE_GO, IN(2), 2, "\\A(?:\\s|\\z|created by |\\[originating from|\\.\\.\\.\\s?(?:additional|\\d+) frames)", NULL},
    {RULE_GO, IN(2), 2, "\\A\\S+\\(.*\\)\\z", NULL},
    {RULE_GO, IN(2), 2, "\\A(?:[re]\\w{1,6}|[c-gs]s|trap|error|x\\d+|lr|sp|pc|fault|pstate)\\s+0x[0-9a-f]+", NULL},
    {RULE_GO, IN(2), 3, "\\Aexit status \\d+\\z", "e"},

    /* Java: 1 behind the head of an exception, 2 frames */
    {RULE_JAVA, IN(OUTSIDE), 1, "\\AException in thread \"", "E"},
    {RULE_JAVA, IN(OUTSIDE), 1, "\\.[A-Z][\\w$]*(?:Exception|Error|Throwable)(?:: |:?\\s*\\z)", NULL},
    {RULE_JAVA, IN(OUTSIDE) | IN(1) | IN(2), 1, "\\A\\s*(?:Caused by|Suppressed|Wrapped by): ", " \tCSW"},
    {RULE_JAVA, IN(OUTSIDE) | IN(1) | IN(2), 2, "\\A\\s+at [^\\s(]+\\([^)]*\\)", " \t"},
    {RULE_JAVA, IN(1) | IN(2), 2, "\\A\\s*(?:\\.\\.\\. \\d+ |\\[CIRCULAR REFERENCE)", " \t.["},
    {RULE_JAVA, IN(1), 1, "\\A(?:\\s|\\z)", NULL},
    {RULE_JAVA, IN(2), 2, "\\A\\s+(?:at |- |\\()", " \t"},

    /* Node: 1 behind the head of an error, 2 frames, 3 blank line behind them, 4 the end, 5 to 7 the excerpt
     * of the source */
    {RULE_NODE, IN(OUTSIDE) | IN(7), 1, "(?:Error|Exception|Warning)(?: \\[[A-Z0-9_]+\\])?(?:: |:?\\s*\\z)", NULL},
    {RULE_NODE, IN(OUTSIDE), 5, "\\A(?:file://|node:|/|evalmachine|\\[eval\\])\\S*:\\d+\\z", "fn/e["},
    {RULE_NODE, IN(OUTSIDE) | IN(1) | IN(2) | IN(3), 2, "\\A\\s+at .*:\\d+:\\d+\\)?", " \t"},
    {RULE_NODE, IN(1) | IN(2), 2, "\\A\\s+at ", " \t"},
    {RULE_NODE, IN(1), 1, "\\A(?:[ \\t]+\\S|Require stack:\\z|- |\\(Use `node --trace-uncaught)", NULL},
    {RULE_NODE, IN(2), 2, "\\A(?:[ \\t]|[}\\])])", " \t}]"},
    {RULE_NODE, IN(1) | IN(2) | IN(3), 3, "\\A\\z", NULL},
    {RULE_NODE, IN(1) | IN(2) | IN(3), 4, "\\ANode\\.js v\\d", "N"},
    {RULE_NODE, IN(5), 6, "\\S", NULL},
    {RULE_NODE, IN(6), 7, "\\A\\s*[\\^~]+\\s*\\z", " \t^~"},
    {RULE_NODE, IN(7), 7, "\\A\\z", NULL},
    {RULE_NODE, IN(7), 1, "\\S", NULL},
};
/* clang-format on */
#define STEPS (sizeof(built_in) / sizeof(built_in[0]))

/* The steps are the same for everybody: each is compiled once, and stays while anybody has rules. */
static struct regexp *compiled[STEPS];
static unsigned users;

struct multiline {
    struct regexp *steps[STEPS]; /* of `compiled`; NULL: of a rule that is off */
    struct regexp *first, *next; /* of rule regex; one may be NULL */
    bool regex;
};

static bool matches(struct regexp *re, struct slice line)
{
    struct span at;
    enum regexp_result result = regexp_find(re, line, 0, &at);
    metrics.regex_limits += result == REGEXP_LIMIT;
    return result == REGEXP_FOUND;
}

/* Without a first line's expression any line may be the first. */
static bool regex_begins(const struct multiline *m, struct slice line)
{
    return !m->first || matches(m->first, line);
}

static bool regex_goes_on(const struct multiline *m, struct slice line)
{
    if (m->first && matches(m->first, line)) {
        return false;
    }
    return !m->next || matches(m->next, line);
}

/* Does the line lead on by this step? */
static bool step_matches(const struct multiline *m, size_t i, struct slice line)
{
    const char *first = built_in[i].first;
    if (first && (line.len == 0 || line.ptr[0] == '\0' || !strchr(first, line.ptr[0]))) {
        return false;
    }
    return matches(m->steps[i], line);
}

bool multiline_begins(const struct multiline *m, struct slice line, struct progress *at)
{
    if (m->regex) {
        *at = (struct progress){RULE_REGEX, 1};
        return regex_begins(m, line);
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (m->steps[i] && (built_in[i].from & IN(OUTSIDE)) && step_matches(m, i, line)) {
            *at = (struct progress){built_in[i].rule, built_in[i].to};
            return true;
        }
    }
    return false;
}

bool multiline_goes_on(const struct multiline *m, struct slice line, struct progress *at)
{
    if (m->regex) {
        return regex_goes_on(m, line);
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (m->steps[i] && built_in[i].rule == at->rule && (built_in[i].from & IN(at->state)) &&
            step_matches(m, i, line)) {
            at->state = built_in[i].to;
            return true;
        }
    }
    return false;
}

bool multiline_is_trace(const struct multiline *m)
{
    return !m->regex;
}

static int compile_regex(struct multiline *m, const struct config *cfg, struct error *err)
{
    if (cfg->multiline_first[0] && !(m->first = regexp_new(cfg->multiline_first, "multiline.first", err))) {
        return -1;
    }
    if (cfg->multiline_next[0] && !(m->next = regexp_new(cfg->multiline_next, "multiline.next", err))) {
        return -1;
    }
    return 0;
}

static int compile_built_in(struct multiline *m, const char *rule, struct error *err)
{
    static const char *const names[] = {
        [RULE_PYTHON] = "python", [RULE_GO] = "go", [RULE_JAVA] = "java", [RULE_NODE] = "node"};
    for (size_t i = 0; i < STEPS; i++) {
        bool wanted = !strcmp(rule, "auto") || !strcmp(rule, names[built_in[i].rule]);
        if (wanted && !compiled[i] && !(compiled[i] = regexp_new(built_in[i].text, "a built-in rule", err))) {
            return -1;
        }
        m->steps[i] = wanted ? compiled[i] : NULL;
    }
    return 0;
}

struct multiline *multiline_new(const struct config *cfg, struct error *err)
{
    struct multiline *m = calloc(1, sizeof(*m));
    if (!m) {
        error_set(err, "out of memory");
        return NULL;
    }
    users++;
    m->regex = !strcmp(cfg->multiline_rule, "regex");
    if ((m->regex ? compile_regex(m, cfg, err) : compile_built_in(m, cfg->multiline_rule, err)) < 0) {
        multiline_free(m);
        return NULL;
    }
    return m;
}

void multiline_pay_from(struct multiline *m, struct regexp_budget *budget)
{
    if (m->first) {
        regexp_pay_from(m->first, budget);
    }
    if (m->next) {
        regexp_pay_from(m->next, budget);
    }
}

void multiline_free(struct multiline *m)
{
    if (m) {
        users--;
        for (size_t i = 0; users == 0 && i < STEPS; i++) {
            regexp_free(compiled[i]);
            compiled[i] = NULL;
        }
        regexp_free(m->first);
        regexp_free(m->next);
        free(m);
    }
}
