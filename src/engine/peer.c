#include "peer.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tls.h"

#define OPTIONS (BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)

/* A socket connected to a unix path. -1: errno says why. Such a connect is immediate, or fails. */
static int connect_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    strcpy(addr.sun_path, path); /* its length was checked by engine_address_parse */
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

static struct bufferevent *new_tls(const struct http_peer *peer)
{
    SSL *ssl = engine_tls_connection(peer->tls, peer->address->host, peer->tls_verify);
    if (!ssl) {
        return NULL;
    }
    struct bufferevent *bev =
        bufferevent_openssl_socket_new(peer->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, OPTIONS);
    if (!bev) {
        SSL_free(ssl);
    }
    return bev;
}

struct bufferevent *peer_connection(const struct http_peer *peer, struct error *err)
{
    int fd = -1;
    if (peer->address->local && (fd = connect_unix(peer->address->host)) < 0) {
        engine_address_explain(peer->address, errno, err);
        return NULL;
    }
    struct bufferevent *bev = peer->tls ? new_tls(peer) : bufferevent_socket_new(peer->base, fd, OPTIONS);
    if (!bev) {
        error_set(err, "out of memory");
        if (fd >= 0) {
            close(fd);
        }
    }
    return bev;
}
