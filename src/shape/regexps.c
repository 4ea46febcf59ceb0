#include "regexps.h"

#include <stdlib.h>
#include <string.h>

int regexps_new(struct regexps *list, const struct string_list *texts, const char *what, struct error *err)
{
    if (texts->count == 0) {
        return 0;
    }
    list->items = calloc(texts->count, sizeof(*list->items));
    list->texts = calloc(texts->count, sizeof(*list->texts));
    if (!list->items || !list->texts) {
        return error_set(err, "out of memory");
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (!(list->items[i] = regexp_new(texts->items[i], what, err))) {
            return -1;
        }
        list->count++;
        if (!(list->texts[i] = strdup(texts->items[i]))) {
            return error_set(err, "out of memory");
        }
    }
    return 0;
}

int regexps_see_lines(struct regexps *list, size_t end)
{
    int result = 0;
    for (size_t i = 0; i < end && i < list->count && result == 0; i++) {
        result = regexp_see_lines(list->items[i]);
    }
    return result;
}

void regexps_pay_from(struct regexps *list, size_t first, struct regexp_budget *budget)
{
    for (size_t i = first; i < list->count; i++) {
        regexp_pay_from(list->items[i], budget);
    }
}

void regexps_free(struct regexps *list)
{
    for (size_t i = 0; i < list->count; i++) {
        regexp_free(list->items[i]);
        free(list->texts[i]);
    }
    free(list->items);
    free(list->texts);
}
