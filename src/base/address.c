#include "base/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(const char *text, char out[6])
{
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len || atoi(text) > 65535) {
        return -1;
    }
    memcpy(out, text, len + 1);
    return 0;
}

int address_parse(const char *text, struct address *out, struct error *err)
{
    const char *host = text, *end = strrchr(text, ':');
    if (!end || parse_port(end + 1, out->port) < 0) {
        return error_set(err, "'%s' is not an address: expected HOST:PORT, such as 127.0.0.1:9464", text);
    }
    if (*host == '[' && end[-1] == ']') {
        host++;
        end--;
    } else if (memchr(host, ':', (size_t)(end - host))) {
        return error_set(err, "'%s' is not an address: an IPv6 one is written in brackets, [::1]:9464", text);
    }
    size_t len = end - host == 1 && *host == '*' ? 0 : (size_t)(end - host);
    if (len >= sizeof(out->host)) {
        return error_set(err, "the host's name in '%.40s…' is too long", text);
    }
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    return 0;
}
