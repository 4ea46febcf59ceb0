#include "base/userinfo.h"

#include <string.h>

#include "base/buf.h"

/* The `@` of the URL whose host or user begins at p; NULL: there is none. A password with a slash in it is no
 * valid URL, and is hidden all the same. */
static const char *find_at(const char *p)
{
    const char *next = strstr(p, "://"), *at = NULL;
    size_t len = next ? (size_t)(next - p) : strlen(p);
    for (size_t i = 0; *p != '/' && i < len && !strchr(" \t\r\n\"", p[i]); i++) {
        at = p[i] == '@' ? p + i : at;
    }
    return at;
}

char *userinfo_hide(const char *text)
{
    struct buf out = {0};
    int failed = 0;
    for (const char *p; !failed && (p = strstr(text, "://"));) {
        const char *at = find_at(p += 3);
        const char *colon = at ? memchr(p, ':', (size_t)(at - p)) : NULL;
        const char *end = colon ? colon + 1 : p;
        failed = buf_add(&out, text, (size_t)(end - text)) || (colon && buf_add(&out, "***", 3));
        text = colon ? at : end;
    }
    if (failed || buf_add(&out, text, strlen(text) + 1)) {
        buf_free(&out);
    }
    return out.data;
}
