#include "engine/engine.h"

#include <event2/dns.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/config.h"
#include "context.h"
#include "engine/logs.h"
#include "gather.h"
#include "json_scan.h"
#include "request.h"
#include "tls.h"

static const char *env_or_empty(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* "1.41" → 41; 0: that is no version of the API. */
static int parse_minor(const char *text)
{
    int minor, used = 0;
    return sscanf(text, "1.%4d%n", &minor, &used) == 1 && text[used] == '\0' && minor > 0 ? minor : 0;
}

static int resolve_version(struct engine *e, struct error *err)
{
    const char *text = env_or_empty("DOCKER_API_VERSION");
    if (*text == '\0') {
        return 0;
    }
    e->forced_minor = parse_minor(*text == 'v' ? text + 1 : text);
    return e->forced_minor
               ? 0
               : error_set(err, "DOCKER_API_VERSION is '%s', which is no version like 1.41: unset it", text);
}

/* By the configuration, else by the environment; "": by neither. */
static const char *given_host(const struct config *cfg)
{
    return cfg->docker_host[0] ? cfg->docker_host : env_or_empty("DOCKER_HOST");
}

bool engine_is_chosen(const struct config *cfg)
{
    struct engine_context context;
    return *given_host(cfg) || engine_context_find(&context, NULL) < 0 || context.name[0];
}

/* Where the Engine is. *context stays empty unless the address is taken from it. */
static int resolve_address(struct engine *e, const struct config *cfg, struct engine_context *context,
                           struct error *err)
{
    struct error wrong = {0};
    char quoted[ERROR_QUOTE_MAX];
    const char *host = given_host(cfg);
    if (*host) {
        return engine_address_parse(host, &e->address, err);
    }
    if (engine_context_find(context, err) < 0) {
        return -1;
    }
    host = context->host[0] ? context->host : ENGINE_DEFAULT_HOST;
    if (engine_address_parse(host, &e->address, &wrong) < 0) {
        return error_set(err, "the docker context %s cannot be used: %s", error_quote(context->name, quoted),
                         wrong.text);
    }
    return 0;
}

/* The directory of certificates: the configuration's, else the context's, else the environment's, else the
 * one where `docker` looks by default. "": there is none. */
static int cert_dir(const struct config *cfg, const struct engine_context *context, char *out, size_t size)
{
    const char *dir = cfg->docker_cert_path, *home = getenv("HOME");
    if (*dir == '\0') {
        dir = context->name[0] ? context->tls_dir : env_or_empty("DOCKER_CERT_PATH");
    }
    if (context->name[0] == '\0' && *dir == '\0' && *env_or_empty("DOCKER_TLS_VERIFY") && home) {
        return snprintf(out, size, "%s/.docker", home) < (int)size ? 0 : -1;
    }
    return snprintf(out, size, "%s", dir) < (int)size ? 0 : -1;
}

static int resolve_tls(struct engine *e, const struct config *cfg, const struct engine_context *context,
                       struct error *err)
{
    char dir[4096];
    if (e->address.local) {
        return 0;
    }
    if (cert_dir(cfg, context, dir, sizeof(dir)) < 0) {
        return error_set(
            err, "the path of the Engine's certificates is too long (docker.cert_path, DOCKER_CERT_PATH)");
    }
    bool tls = e->address.https || dir[0] || context->skip_verify;
    if (tls) {
        e->peer.tls_verify = cfg->docker_tls_verify && !context->skip_verify;
        e->peer.tls = engine_tls_new(dir, e->peer.tls_verify, err);
        if (!e->peer.tls) {
            return -1;
        }
    }
    if (e->address.port == 0) {
        e->address.port = tls ? 2376 : 2375;
    }
    /* NULL without name servers. The C library then resolves names, which may block for a moment. */
    e->peer.dns =
        evdns_base_new(e->peer.base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    return 0;
}

struct engine *engine_new(struct event_base *base, const struct config *cfg, struct error *err)
{
    struct engine *e = calloc(1, sizeof(*e));
    if (!e) {
        error_set(err, "out of memory");
        return NULL;
    }
    e->peer = (struct http_peer){.base = base, .address = &e->address};
    struct engine_context context = {0};
    if (resolve_address(e, cfg, &context, err) < 0 || resolve_version(e, err) < 0 ||
        resolve_tls(e, cfg, &context, err) < 0) {
        engine_free(e);
        return NULL;
    }
    e->peer.gather = gather_new(base, LOG_GATHER_NS);
    return e;
}

void engine_free(struct engine *e)
{
    if (!e) {
        return;
    }
    if (e->peer.dns) {
        evdns_base_free(e->peer.dns, 0);
    }
    gather_free(e->peer.gather);
    SSL_CTX_free(e->peer.tls);
    free(e);
}

const char *engine_address(const struct engine *e)
{
    return e->address.text;
}

bool engine_is_local(const struct engine *e)
{
    return e->address.local;
}

int engine_api_minor(const struct engine *e)
{
    return e->minor;
}

bool engine_is_podman(const struct engine *e)
{
    return e->podman;
}

int64_t engine_clock(const struct engine *e)
{
    return clock_now() + e->clock_skew;
}

int64_t engine_entry_clock(const struct engine *e)
{
    int64_t now = engine_clock(e);
    return e->podman ? now - now % NS_PER_S : now;
}

/* -- answers as JSON --------------------------------------------------------------------------- */

struct engine_call {
    struct engine *engine;
    struct http_request *request;
    engine_answer_fn answer;
    void *arg;
    bool ping;
    struct http_head head;
    struct buf body;
    struct json_scan scan;
    bool too_large;
};

static void call_free(struct engine_call *call)
{
    buf_free(&call->body);
    free(call);
}

static void on_head(void *arg, const struct http_head *head)
{
    struct engine_call *call = arg;
    call->head = *head;
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct engine_call *call = arg;
    json_scan(&call->scan, bytes, len);
    call->too_large |= call->body.len + len > ENGINE_OBJECT_MAX || call->scan.values > ENGINE_VALUES_MAX;
    if (!call->too_large && buf_add(&call->body, bytes, len) < 0) {
        call->too_large = true;
    }
}

/* Settles the version to speak, and how far the Engine's clock is ahead of ours. */
static int negotiate(struct engine *e, const struct http_head *head, struct error *err)
{
    int theirs = parse_minor(head->api_version);
    e->podman = head->libpod[0] != '\0';
    if (e->forced_minor) {
        e->minor = e->forced_minor;
    } else if (theirs == 0) {
        return error_set(err,
                         "what answers at %s is no Docker Engine (its answer to /_ping names no API version)",
                         e->address.text);
    } else {
        e->minor = theirs < ENGINE_API_MAX_MINOR ? theirs : ENGINE_API_MAX_MINOR;
    }
    struct tm tm = {0};
    if (!e->address.local && strptime(head->date, "%a, %d %b %Y %H:%M:%S", &tm)) {
        e->clock_skew = (int64_t)timegm(&tm) * NS_PER_S - clock_now();
    }
    return 0;
}

static json_t *call_json(struct engine_call *call, struct error *err)
{
    json_error_t where;
    json_t *json = json_loadb(call->body.data ? call->body.data : "", call->body.len, 0, &where);
    if (!json) {
        error_set(err, "the Engine's answer is not valid JSON: %s", where.text);
    }
    return json;
}

static void on_call_end(void *arg, const struct error *broken)
{
    struct engine_call *call = arg;
    struct error err = {0};
    json_t *json = NULL;
    bool ok = false;
    if (broken) {
        err = *broken;
        call->head.status = 0;
    } else if (call->head.status < 200 || call->head.status > 299) {
        engine_refusal(call->engine, call->head.status, call->body.data, call->body.len, &err);
    } else if (call->too_large) {
        error_set(&err, "the Engine's answer is larger than %u MiB, or has more than %u values",
                  ENGINE_OBJECT_MAX >> 20, ENGINE_VALUES_MAX);
    } else if (call->ping) {
        ok = negotiate(call->engine, &call->head, &err) == 0;
    } else {
        ok = (json = call_json(call, &err)) != NULL;
    }
    engine_answer_fn answer = call->answer;
    void *answer_arg = call->arg;
    int status = call->head.status;
    call_free(call);
    answer(answer_arg, status, json, ok ? NULL : &err);
    json_decref(json);
}

static struct engine_call *call_new(struct engine *e, engine_answer_fn answer, void *arg)
{
    struct engine_call *call = calloc(1, sizeof(*call));
    if (call) {
        call->engine = e;
        call->answer = answer;
        call->arg = arg;
    }
    return call;
}

static struct engine_call *call_begun(struct engine_call *call)
{
    if (!call->request) {
        call_free(call);
        return NULL;
    }
    return call;
}

struct engine_call *engine_get(struct engine *e, const char *path, engine_answer_fn answer, void *arg)
{
    struct engine_call *call = call_new(e, answer, arg);
    if (!call) {
        return NULL;
    }
    struct http_calls calls = {.head = on_head, .body = on_body, .end = on_call_end, .arg = call};
    call->request = engine_request(e, path, true, &calls);
    return call_begun(call);
}

struct engine_call *engine_ping(struct engine *e, engine_answer_fn answer, void *arg)
{
    struct engine_call *call = call_new(e, answer, arg);
    if (!call) {
        return NULL;
    }
    struct http_calls calls = {.head = on_head, .body = on_body, .end = on_call_end, .arg = call};
    call->ping = true;
    call->request = http_get(&e->peer, "/_ping", true, &calls);
    return call_begun(call);
}

void engine_cancel(struct engine_call *call)
{
    if (call) {
        http_cancel(call->request);
        call_free(call);
    }
}
