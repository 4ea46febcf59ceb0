/* The docker client's context in use: which Engine its user works with, where DOCKER_HOST does not say so.
 * Contexts are kept as `docker context create` does it, below $DOCKER_CONFIG, else ~/.docker. */
#ifndef SIDETAIL_ENGINE_CONTEXT_H
#define SIDETAIL_ENGINE_CONTEXT_H

#include <stdbool.h>

#include "base/error.h"

struct engine_context {
    char name[256];     /* "": none is in use, all else is empty */
    char host[256];     /* of its Engine, as DOCKER_HOST says it; "": the default one */
    char tls_dir[4096]; /* holds what there is of ca.pem, cert.pem and key.pem; "": there is none of them */
    bool skip_verify;   /* TLS, but the Engine's certificate is not to be checked */
};

/* DOCKER_CONTEXT, else currentContext of config.json; of the name "default": none. Files that are not there
 * or may not be read (those of another user's home) name none. 0, or -1: there is no such context, or
 * what is written down of it cannot be used; err says which, and what to do. */
int engine_context_find(struct engine_context *out, struct error *err);

#endif
