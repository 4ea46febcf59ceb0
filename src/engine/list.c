/* An answer of the Engine that is a list. Each element is parsed by itself as soon as it is there, so what a list takes
 * is what its largest element does. */
#include <stdlib.h>

#include "base/buf.h"
#include "json_scan.h"
#include "request.h"

enum list_state {
    LIST_BEGIN,  /* [ comes next */
    LIST_FIRST,  /* an element, or ] */
    LIST_INSIDE, /* an element */
    LIST_NEXT,   /* , or ] */
    LIST_COMMA,  /* an element, after a comma */
    LIST_WHOLE,
    LIST_WRONG, /* it is no list of objects; err says so */
};

struct engine_list {
    struct engine *engine;
    struct http_request *request;
    struct list_calls calls;
    int status;
    enum list_state state;
    struct json_scan scan; /* of the element that is being read */
    struct buf text;       /* its bytes; what the Engine says when it refuses */
    bool passing_over;     /* it is too large */
    bool busy;             /* a callback runs */
    bool closed;           /* within that callback */
    struct error err;
};

static void list_free(struct engine_list *l)
{
    buf_free(&l->text);
    free(l);
}

static void go_wrong(struct engine_list *l, const char *why)
{
    l->state = LIST_WRONG;
    error_set(&l->err, "the Engine at %s answered with no list of containers: %s", l->engine->address.text,
              why);
}

/* The element has come whole. */
static void deliver(struct engine_list *l)
{
    json_error_t where;
    json_t *json = NULL;
    if (!l->passing_over && !(json = json_loadb(l->text.data, l->text.len, 0, &where))) {
        go_wrong(l, where.text);
        return;
    }
    l->state = LIST_NEXT;
    l->busy = true;
    l->calls.item(l->calls.arg, json);
    l->busy = false;
    json_decref(json);
    l->text.len = 0;
    l->scan = (struct json_scan){0};
    l->passing_over = false;
}

/* Bytes of an element. Returns how many belong to it. */
static size_t take_element(struct engine_list *l, const char *bytes, size_t len)
{
    size_t taken = json_scan(&l->scan, bytes, len);
    l->passing_over |= l->text.len + taken > ENGINE_OBJECT_MAX || l->scan.values > ENGINE_VALUES_MAX ||
                       (!l->passing_over && buf_add(&l->text, bytes, taken) < 0);
    if (json_scan_ended(&l->scan)) {
        deliver(l);
    }
    return taken;
}

/* A byte between elements. False: it is the first of one, and still to be taken. */
static bool take_mark(struct engine_list *l, char byte)
{
    bool may_begin = l->state == LIST_FIRST || l->state == LIST_COMMA;
    bool may_end = l->state == LIST_FIRST || l->state == LIST_NEXT;
    if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        return true;
    }
    if (byte == '{' && may_begin) {
        l->state = LIST_INSIDE;
        return false;
    }
    if (byte == '[' && l->state == LIST_BEGIN) {
        l->state = LIST_FIRST;
    } else if (byte == ',' && l->state == LIST_NEXT) {
        l->state = LIST_COMMA;
    } else if (byte == ']' && may_end) {
        l->state = LIST_WHOLE;
    } else {
        go_wrong(l, "its elements are no objects with commas between them");
    }
    return true;
}

static void on_head(void *arg, const struct http_head *head)
{
    struct engine_list *l = arg;
    l->status = head->status;
}

/* What an Engine says when it refuses is short. */
static void take_refusal(struct engine_list *l, const char *bytes, size_t len)
{
    size_t room = ENGINE_REFUSAL_MAX - l->text.len;
    (void)buf_add(&l->text, bytes, len < room ? len : room);
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct engine_list *l = arg;
    if (l->status != 200) {
        take_refusal(l, bytes, len);
        return;
    }
    for (size_t done = 0; done < len && l->state != LIST_WRONG;) {
        if (l->state == LIST_INSIDE) {
            done += take_element(l, bytes + done, len - done);
        } else {
            done += take_mark(l, bytes[done]);
        }
        if (l->closed) {
            list_free(l);
            return;
        }
    }
}

static void on_end(void *arg, const struct error *broken)
{
    struct engine_list *l = arg;
    if (broken) {
        l->err = *broken;
    } else if (l->status != 200) {
        engine_refusal(l->engine, l->status, l->text.data, l->text.len, &l->err);
    } else if (l->state != LIST_WHOLE && l->state != LIST_WRONG) {
        go_wrong(l, "it ends too early");
    }
    struct list_calls calls = l->calls;
    struct error err = l->err;
    bool whole = !broken && l->state == LIST_WHOLE;
    list_free(l);
    calls.end(calls.arg, whole ? NULL : &err);
}

struct engine_list *engine_list_get(struct engine *e, const char *path, const struct list_calls *calls)
{
    struct engine_list *l = calloc(1, sizeof(*l));
    if (!l) {
        return NULL;
    }
    l->engine = e;
    l->calls = *calls;
    struct http_calls http = {.head = on_head, .body = on_body, .end = on_end, .arg = l};
    l->request = engine_request(e, path, true, &http);
    if (!l->request) {
        list_free(l);
        return NULL;
    }
    return l;
}

void engine_list_cancel(struct engine_list *l)
{
    if (!l) {
        return;
    }
    http_cancel(l->request);
    if (l->busy) {
        l->closed = true;
    } else {
        list_free(l);
    }
}
