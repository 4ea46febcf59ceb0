#include "base/regexp.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* For every place where a match could begin, PCRE2 counts steps up to STEPS_MAX. Over the places of a long
 * text that would still add up, so a text over WHOLE bytes is searched WINDOW places at a time, with a look
 * at the clock between. A step that compares a back reference can be long. */
#define STEPS_MAX     20000
#define WHOLE         512
#define WINDOW        256
#define WINDOW_BACK   4
#define TIME_MAX      (100 * NS_PER_MS)
#define HEAP_MAX_KIB  4096
#define JIT_STACK_MIN 32768
#define JIT_STACK_MAX (1024 * 1024)

/* Of a budget: what a search may take for nothing, for itself and for each byte; the debt at which it is spent; and which
 * part of the time that passes is forgiven. */
#define FREE          (10 * NS_PER_US)
#define FREE_PER_BYTE 10
#define DEBT_MAX      (100 * NS_PER_MS)
#define FORGIVEN      20
#define WATCHED       1000

struct regexp {
    pcre2_code *code,
        *windowed; /* the second knows offset limits, at some cost in speed; made when first needed */
    char *text;
    size_t window;
    uint32_t options;
    struct regexp_budget *budget; /* NULL: it may take its time */
};

/* What a search needs besides the expression; one for all of them, there while there are any. */
static struct {
    unsigned users;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
} shared;

static bool jit = true;

void regexp_use_jit(bool use)
{
    jit = use;
}

static int shared_take(void)
{
    if (shared.users == 0) {
        shared.match = pcre2_match_data_create(1, NULL);
        shared.limits = pcre2_match_context_create(NULL);
        shared.stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    }
    shared.users++;
    if (!shared.match || !shared.limits || !shared.stack) {
        return -1;
    }
    pcre2_set_match_limit(shared.limits, STEPS_MAX);
    pcre2_set_heap_limit(shared.limits, HEAP_MAX_KIB);
    pcre2_jit_stack_assign(shared.limits, NULL, shared.stack);
    return 0;
}

static void shared_leave(void)
{
    if (--shared.users == 0) {
        pcre2_match_data_free(shared.match);
        pcre2_match_context_free(shared.limits);
        pcre2_jit_stack_free(shared.stack);
    }
}

static pcre2_code *compile(const char *text, uint32_t options, const char *what, struct error *err)
{
    int fault;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | options, &fault, &at, NULL);
    if (!code) {
        PCRE2_UCHAR message[160];
        char quoted[ERROR_QUOTE_MAX];
        pcre2_get_error_message(fault, message, sizeof(message));
        error_set(err, "found %s in %s; expected a regular expression (PCRE2): %s, behind byte %zu",
                  error_quote(text, quoted), what, (char *)message, at);
        return NULL;
    }
    /* Without JIT (a kernel that forbids writable code) the interpreter does the same, slower. */
    if (jit) {
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_SOFT);
    }
    return code;
}

struct regexp *regexp_new(const char *text, const char *what, struct error *err)
{
    struct regexp *re = calloc(1, sizeof(*re));
    if (!re) {
        error_set(err, "out of memory");
        return NULL;
    }
    int failed = shared_take();
    re->text = strdup(text);
    if (failed || !re->text) {
        error_set(err, "out of memory");
        regexp_free(re);
        return NULL;
    }
    re->code = compile(text, 0, what, err);
    if (!re->code) {
        regexp_free(re);
        return NULL;
    }
    uint32_t back = 0;
    pcre2_pattern_info(re->code, PCRE2_INFO_BACKREFMAX, &back);
    re->window = back > 0 ? WINDOW_BACK : WINDOW;
    return re;
}

int regexp_see_lines(struct regexp *re)
{
    pcre2_code *code = compile(re->text, PCRE2_MULTILINE, "", NULL);
    if (!code) {
        return -1;
    }
    pcre2_code_free(re->code);
    pcre2_code_free(re->windowed);
    re->code = code;
    re->windowed = NULL;
    re->options = PCRE2_MULTILINE;
    return 0;
}

void regexp_free(struct regexp *re)
{
    if (re) {
        pcre2_code_free(re->code);
        pcre2_code_free(re->windowed);
        free(re->text);
        free(re);
        shared_leave();
    }
}

size_t regexp_size(const struct regexp *re)
{
    size_t code = 0, machine_code = 0;
    pcre2_pattern_info(re->code, PCRE2_INFO_SIZE, &code);
    pcre2_pattern_info(re->code, PCRE2_INFO_JITSIZE, &machine_code);
    return 2 * (code + machine_code); /* with the one for long texts */
}

static enum regexp_result run(const pcre2_code *code, struct slice text, size_t from, bool cut,
                              struct span *found)
{
    int result =
        pcre2_match(code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, from,
                    PCRE2_NO_UTF_CHECK | (cut ? PCRE2_PARTIAL_SOFT : 0), shared.match, shared.limits);
    if (result >= 0 || result == PCRE2_ERROR_PARTIAL) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(shared.match);
        *found = (struct span){at[0], at[1]};
        return REGEXP_FOUND;
    }
    return result == PCRE2_ERROR_NOMATCH ? REGEXP_NONE : REGEXP_LIMIT;
}

/* Processor time, so that a search is not given up because the machine was busy with others. */
static int64_t time_used(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return clock_of_timespec(ts);
}

static size_t window_end(struct slice text, size_t end)
{
    while (end < text.len && ((unsigned char)text.ptr[end] & 0xC0) == 0x80) {
        end++;
    }
    return end;
}

static enum regexp_result run_windows(struct regexp *re, struct slice text, size_t from, bool cut,
                                      struct span *found)
{
    if (!re->windowed) {
        re->windowed = compile(re->text, PCRE2_USE_OFFSET_LIMIT | re->options, "", NULL);
    }
    enum regexp_result result = re->windowed ? REGEXP_NONE : REGEXP_LIMIT;
    int64_t began = time_used();
    while (result == REGEXP_NONE && from <= text.len) {
        size_t end = window_end(text, from + re->window);
        pcre2_set_offset_limit(shared.limits, end - 1);
        result = run(re->windowed, text, from, cut, found);
        if (result == REGEXP_NONE && time_used() - began > TIME_MAX) {
            result = REGEXP_LIMIT;
        }
        from = end;
    }
    pcre2_set_offset_limit(shared.limits, PCRE2_UNSET);
    return result;
}

static enum regexp_result find(struct regexp *re, struct slice text, size_t from, bool cut,
                               struct span *found)
{
    return text.len - from <= WHOLE ? run(re->code, text, from, cut, found)
                                    : run_windows(re, text, from, cut, found);
}

/* -- budgets ----------------------------------------------------------------------------------- */

void regexp_pay_from(struct regexp *re, struct regexp_budget *budget)
{
    re->budget = budget;
    budget->size += regexp_size(re);
}

/* May there be one more search? */
static bool may_search(struct regexp_budget *b, int64_t now)
{
    int64_t forgiven = (now - b->at_ns) / FORGIVEN;
    if (forgiven >= b->debt_ns) {
        b->debt_ns = 0;
        b->at_ns = now;
        b->spent = false;
    } else {
        b->debt_ns -= forgiven;
        b->at_ns += forgiven * FORGIVEN;
    }
    return !b->spent;
}

static void charge(const struct regexp *re, int64_t took)
{
    struct regexp_budget *b = re->budget;
    b->debt_ns += took;
    b->spent = b->debt_ns > DEBT_MAX;
    if (b->spent && !b->said) {
        log_warn("a pattern of a container's label takes too long: from time to time it is not looked for, "
                 "as though it had hit its limit",
                 KV("pattern", re->text));
        b->said = true;
    }
}

/* Processor time is asked for only where a search seems to take long: asking takes longer than most searches, and the
 * other clock runs on while others have the processor. */
static enum regexp_result find_paid(struct regexp *re, struct slice text, size_t from, bool cut,
                                    struct span *found)
{
    struct regexp_budget *b = re->budget;
    int64_t began = clock_monotonic(), free_ns = FREE + (int64_t)(text.len - from) * FREE_PER_BYTE;
    if (!may_search(b, began)) {
        return REGEXP_LIMIT;
    }
    int64_t used = b->watched > 0 ? time_used() : 0;
    enum regexp_result result = find(re, text, from, cut, found);
    if (b->watched > 0) {
        int64_t took = time_used() - used;
        b->watched--;
        if (took > free_ns) {
            b->watched = WATCHED;
            charge(re, took);
        }
    } else if (clock_monotonic() - began > free_ns) {
        b->watched = WATCHED;
    }
    return result;
}

static enum regexp_result search(struct regexp *re, struct slice text, size_t from, bool cut,
                                 struct span *found)
{
    return re->budget ? find_paid(re, text, from, cut, found) : find(re, text, from, cut, found);
}

enum regexp_result regexp_find(struct regexp *re, struct slice text, size_t from, struct span *found)
{
    return search(re, text, from, false, found);
}

enum regexp_result regexp_find_cut(struct regexp *re, struct slice text, size_t from, struct span *found)
{
    enum regexp_result result = search(re, text, from, true, found);
    if (result == REGEXP_FOUND) {
        found->end = text.len;
    }
    return result;
}

int regexp_refuse_empty(struct regexp *re, const char *text, const char *what, struct error *err)
{
    struct span at;
    char quoted[ERROR_QUOTE_MAX];
    if (regexp_find(re, SLICE(""), 0, &at) != REGEXP_FOUND) {
        return 0;
    }
    return error_set(err, "found %s in %s, which matches an empty text; expected what matches secrets only",
                     error_quote(text, quoted), what);
}
