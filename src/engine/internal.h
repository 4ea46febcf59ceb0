/* Shared by the modules of this folder only. */
#ifndef SIDETAIL_ENGINE_INTERNAL_H
#define SIDETAIL_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "http.h"

#define PATH_MAX_LEN 512 /* of a request's target */

struct engine {
    struct http_peer peer;
    struct engine_address address;
    int minor;          /* of the API's version, 0 until a ping was answered */
    int forced_minor;   /* DOCKER_API_VERSION, 0 none */
    int64_t clock_skew; /* the Engine's clock less ours */
};

/* GET of a path under the negotiated version. NULL: memory. */
struct http_request *engine_request(struct engine *e, const char *path, bool answer,
                                    const struct http_calls *calls);

/* What a status other than 2xx and its body {"message":…} say, for a user. */
void engine_refusal(const struct engine *e, int status, const char *body, size_t len, struct error *err);

#endif
