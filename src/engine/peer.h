/* An Engine as requests see it: where it is, and the connections to it. */
#ifndef SIDETAIL_ENGINE_PEER_H
#define SIDETAIL_ENGINE_PEER_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "address.h"
#include "base/error.h"

struct evdns_base;
struct gather;

/* Written by engine.c alone. Borrowed by every request. */
struct http_peer {
    struct event_base *base;
    const struct engine_address *address;
    SSL_CTX *tls;           /* NULL: plain */
    bool tls_verify;        /* the server's name is verified */
    struct evdns_base *dns; /* for TCP with a host name */
    struct gather *gather;  /* of requests that http_gather was called for; NULL: none are gathered */
};

/* A new connection, for the caller to free; over TCP, bufferevent_socket_connect_hostname is still to come. NULL: err says
 * why. */
struct bufferevent *peer_connection(const struct http_peer *peer, struct error *err);

#endif
