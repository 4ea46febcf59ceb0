/* One HTTP/1.1 GET, on a connection of its own (unix socket, TCP or TLS). It hands on the body as it comes. */
#ifndef SIDETAIL_ENGINE_HTTP_H
#define SIDETAIL_ENGINE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "peer.h"

struct http_head {
    int status;
    char api_version[16]; /* Api-Version; "" when there is none */
    char date[40];        /* Date */
    char libpod[16];      /* Libpod-Api-Version; "" when there is none */
};

struct http_calls {
    /* The request was sent. Where this is set, the head is awaited for ever from then on. May be NULL. */
    void (*sent)(void *arg);
    void (*head)(void *arg, const struct http_head *head);
    void (*body)(void *arg, const char *bytes, size_t len);
    /* The last call; the request is freed after it. err is NULL when the answer came whole. */
    void (*end)(void *arg, const struct error *err);
    void *arg;
};

/* Timeouts. A stream may be silent for ever once its head came; an answer that is awaited may not. */
#define HTTP_HEAD_TIMEOUT_S 30 /* from the call to the whole head */
#define HTTP_BODY_TIMEOUT_S 60 /* with `answer`: from the head to the end */

/* `target` is the path with its query. `answer`: the body is short, and awaited within HTTP_BODY_TIMEOUT_S.
 * NULL: memory. A failure to connect is reported by `end`, later. */
struct http_request *http_get(const struct http_peer *peer, const char *target, bool answer,
                              const struct http_calls *calls);

/* Stops and resumes reading. May be called from inside `body`: what follows the bytes of that call then stays
 * unparsed. At most HTTP_READ_MAX bytes wait in memory. */
void http_pause(struct http_request *r);
void http_resume(struct http_request *r);
#define HTTP_READ_MAX 32768

/* From `head` on, or later: while little comes at once, the body is read together with that of others, a little late where
 * these are many. Not with TLS, where this does nothing. */
void http_gather(struct http_request *r);

/* No call comes any more. NULL is fine. */
void http_cancel(struct http_request *r);

#endif
