/* A GET to an Engine under the version of its API that was negotiated, and what a refusal says. */
#ifndef SIDETAIL_ENGINE_REQUEST_H
#define SIDETAIL_ENGINE_REQUEST_H

#include "engine/engine.h"
#include "http.h"

#define PATH_MAX_LEN       512  /* bytes of a request's path, with its NUL */
#define ENGINE_REFUSAL_MAX 4096 /* bytes kept of what the Engine says when it refuses */

/* Written by engine.c alone. */
struct engine {
    struct http_peer peer;
    struct engine_address address;
    int minor;          /* of the API's version; 0 until a ping was answered */
    bool podman;        /* by the answer to the last ping */
    int forced_minor;   /* DOCKER_API_VERSION; 0: none */
    int64_t clock_skew; /* ns that the Engine's clock is ahead of ours */
};

/* `path` is without the version; `answer` and `calls` are those of http_get. NULL: memory. */
struct http_request *engine_request(struct engine *e, const char *path, bool answer,
                                    const struct http_calls *calls);

/* Says for a user what a status other than 2xx and its body {"message":…} mean. `body` may be NULL. */
void engine_refusal(const struct engine *e, int status, const char *body, size_t len, struct error *err);

#endif
