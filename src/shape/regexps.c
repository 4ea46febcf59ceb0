#include "regexps.h"

#include <stdlib.h>

int regexps_new(struct regexps *list, const struct string_list *texts, const char *what, struct error *err)
{
    if (texts->count == 0) {
        return 0;
    }
    list->items = calloc(texts->count, sizeof(*list->items));
    if (!list->items) {
        return error_set(err, "out of memory");
    }
    for (; list->count < texts->count; list->count++) {
        list->items[list->count] = regexp_new(texts->items[list->count], what, err);
        if (!list->items[list->count]) {
            return -1;
        }
    }
    return 0;
}

void regexps_free(struct regexps *list)
{
    for (size_t i = 0; i < list->count; i++) {
        regexp_free(list->items[i]);
    }
    free(list->items);
}
