#include "base/userinfo.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define SCHEME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-_"

/* The end of the URL that p stands in: the comma before the next one, or the end of the text. A password may hold
 * anything else, and no valid URL hold it. */
static const char *find_end(const char *p)
{
    for (const char *comma = strchr(p, ','); comma; comma = strchr(comma + 1, ',')) {
        const char *next = comma + 1 + strspn(comma + 1, " \t");
        size_t len = strspn(next, SCHEME);
        if (len > 0 && strncmp(next + len, "://", 3) == 0) {
            return comma;
        }
    }
    return p + strlen(p);
}

char *userinfo_hide(const char *text)
{
    struct buf out = {0};
    int failed = 0;
    for (const char *p; !failed && (p = strstr(text, "://"));) {
        const char *end = find_end(p += 3);
        const char *at = *p == '/' ? NULL : memrchr(p, '@', (size_t)(end - p));
        const char *colon = at ? memchr(p, ':', (size_t)(at - p)) : NULL;
        const char *shown = colon ? colon + 1 : p, *rest = at ? at : shown;
        failed = buf_add(&out, text, (size_t)(shown - text)) || buf_add(&out, "***", at ? 3 : 0) ||
                 buf_add(&out, rest, (size_t)(end - rest));
        text = end;
    }
    if (failed || buf_add(&out, text, strlen(text) + 1)) {
        buf_free(&out);
    }
    return out.data;
}

/* The length of the scheme that the address begins with, its colon and slashes included, however many these are; 0:
 * there is none, so what stands before the first colon may be a user. */
static size_t scheme_length(const char *address)
{
    static const char *const known[] = {"tcp", "http", "https", "ssh", "unix", "npipe", "fd"};
    size_t len = strspn(address, SCHEME);
    if (len == 0 || address[len] != ':') {
        return 0;
    }
    size_t slashes = strspn(address + len + 1, "/");
    bool scheme = slashes >= 2;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        scheme = scheme || (strlen(known[i]) == len && strncasecmp(address, known[i], len) == 0);
    }
    return scheme ? len + 1 + slashes : 0;
}

char *userinfo_hide_address(const char *address)
{
    struct buf out = {0};
    size_t scheme = scheme_length(address);
    bool path = strncasecmp(address, "unix:///", 8) == 0;
    const char *at = path ? NULL : strrchr(address + scheme, '@'), *rest = at ? at : address + scheme;
    size_t shown = path ? strlen(rest) : strcspn(rest, "?#");
    bool query = rest[shown] != '\0';
    if (buf_add(&out, address, scheme) || buf_add(&out, "***", at ? 3 : 0) ||
        buf_add(&out, rest, shown + query) || buf_add(&out, "***", query ? 3 : 0) || buf_add(&out, "", 1)) {
        buf_free(&out);
    }
    return out.data;
}
