#include "request.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"

struct http_request *engine_request(struct engine *e, const char *path, bool answer,
                                    const struct http_calls *calls)
{
    char target[PATH_MAX_LEN + 16];
    int minor = e->minor ? e->minor : 41;
    snprintf(target, sizeof(target), "/v1.%d%s", minor, path);
    return http_get(&e->peer, target, answer, calls);
}

void engine_refusal(const struct engine *e, int status, const char *body, size_t len, struct error *err)
{
    json_t *json = body ? json_loadb(body, len, 0, NULL) : NULL;
    const char *message = json_string_value(json_object_get(json, "message"));
    if (status == 400 && message && strstr(message, "API version")) {
        error_set(err,
                  "the Engine at %s and sidetail have no API version in common (%s); sidetail speaks 1.41 to "
                  "1.%d%s",
                  e->address.text, message, ENGINE_API_MAX_MINOR,
                  e->forced_minor ? ": unset DOCKER_API_VERSION" : "");
    } else {
        struct slice said = message ? slice_str(message) : slice_of(body, len);
        error_set(err, "the Engine at %s answered %d: %.*s", e->address.text, status,
                  (int)(said.len < 300 ? said.len : 300), said.ptr ? said.ptr : "");
    }
    json_decref(json);
}
