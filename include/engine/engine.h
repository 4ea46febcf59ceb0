/* A client of the Docker Engine's HTTP API, on libevent; HTTP itself is parsed by http-parser. Source of the
 * API: docs.docker.com/reference/api/engine (moby api/docs), from 1.41 (Engine 20.10) on. Podman speaks it too
 * (podman pkg/api/handlers/compat), with quirks that this room and struct log_options know.
 *
 * All calls of this room are asynchronous, on one event loop: an answer comes by a callback, never from
 * inside the call that asked for it. A callback may cancel or close what called it. */
#ifndef SIDETAIL_ENGINE_ENGINE_H
#define SIDETAIL_ENGINE_ENGINE_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct config;
struct engine;

/* The highest version of the API that is spoken; a newer Engine is spoken to in this one. */
#define ENGINE_API_MAX_MINOR 51

/* Which Engine: docker.host, docker.cert_path and docker.tls_verify of the configuration. Where those are
 * empty, DOCKER_HOST, DOCKER_CERT_PATH, DOCKER_TLS_VERIFY and DOCKER_API_VERSION. Where the first of those is
 * empty too, the docker client's context in use. Connects to nothing yet. NULL: the address or a certificate
 * cannot be used, err says why. */
struct engine *engine_new(struct event_base *base, const struct config *cfg, struct error *err);
/* After all its requests ended or were cancelled. NULL is fine. */
void engine_free(struct engine *e);

/* Did the user say which Engine it is? Else it is the default one. */
bool engine_is_chosen(const struct config *cfg);

/* As a user writes it: unix:///var/run/docker.sock. Valid as long as the engine is. */
const char *engine_address(const struct engine *e);
/* Over a unix socket: its clock is ours. */
bool engine_is_local(const struct engine *e);
/* The version of the API that is spoken: 41 is 1.41. 0 until engine_ping succeeded. */
int engine_api_minor(const struct engine *e);
/* It is Podman's service. Known once engine_ping succeeded. */
bool engine_is_podman(const struct engine *e);
/* The Engine's wall clock, in ns since 1970. Over a unix socket it is ours; else it is known to the second,
 * by the last ping, and may be up to a second behind. */
int64_t engine_clock(const struct engine *e);
/* The time that an entry written now has: by Podman, entries have the second only. */
int64_t engine_entry_clock(const struct engine *e);

/* -- answers as JSON --------------------------------------------------------------------------- */

struct engine_call;

/* What one object may take: an answer, or an element of a list. One of 25,000 published ports has as many values. A tree of
 * such an object has some 64 MB for as long as the callback runs. */
#define ENGINE_OBJECT_MAX (8u << 20) /* bytes of its text */
#define ENGINE_VALUES_MAX 250000u    /* members and elements */

/* `err` is NULL when the Engine answered with a 2xx; `status` is 0 when it did not answer. `json` is
 * borrowed, and NULL on error. */
typedef void (*engine_answer_fn)(void *arg, int status, const json_t *json, const struct error *err);

/* GET of a path without its version ("/containers/ID/json"), which answers with an object. NULL: memory. */
struct engine_call *engine_get(struct engine *e, const char *path, engine_answer_fn answer, void *arg);
/* GET /_ping, which negotiates the version: the lower one of ours and the Engine's. The answer's `json` is
 * NULL. NULL: memory. */
struct engine_call *engine_ping(struct engine *e, engine_answer_fn answer, void *arg);
/* No answer comes any more. NULL is fine. */
void engine_cancel(struct engine_call *call);

struct engine_list;

struct list_calls {
    /* One element, borrowed, while the rest of the list is still to come. NULL: one that is larger than an object may be. */
    void (*item)(void *arg, const json_t *item);
    /* The last call. err is NULL when the list came whole. */
    void (*end)(void *arg, const struct error *err);
    void *arg;
};

/* GET of a path ("/containers/json?all=1") which answers with a list of objects, however long. NULL: memory. */
struct engine_list *engine_list_get(struct engine *e, const char *path, const struct list_calls *calls);
/* No call comes any more. NULL is fine. */
void engine_list_cancel(struct engine_list *l);

#endif
