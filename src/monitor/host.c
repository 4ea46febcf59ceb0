#include "host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

static bool is_address(const char *host)
{
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* Of a Host header, which has a port only where that is not 80. */
static bool parse(const char *header, struct address *at)
{
    char full[sizeof(at->host) + 16];
    struct error ignored;
    int len = snprintf(full, sizeof(full), "%s:80", header);
    return address_parse(header, at, &ignored) == 0 ||
           ((size_t)len < sizeof(full) && address_parse(full, at, &ignored) == 0);
}

bool host_is_own(struct evhttp_request *req, const char *host)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    const char *header = evhttp_find_header(headers, "Host");
    struct address at;
    if (!header || evhttp_find_header(headers, HOST_NO_BROWSER)) {
        return true; /* each browser sends a Host */
    }
    return parse(header, &at) && (is_address(at.host) || strcasecmp(at.host, "localhost") == 0 ||
                                  (*host && strcasecmp(at.host, host) == 0));
}

bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    return strcasecmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET) ||
           (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}
