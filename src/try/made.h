/* JSON that cannot fail to be made, but for want of memory. */
#ifndef SIDETAIL_TRY_MADE_H
#define SIDETAIL_TRY_MADE_H

#include <jansson.h>

#include "base/memory.h"

static inline json_t *made(json_t *value)
{
    if (!value) {
        die_out_of_memory();
    }
    return value;
}

/* Takes the reference of the value. */
static inline void make_member(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, made(value)) < 0) {
        die_out_of_memory();
    }
}

static inline void make_element(json_t *array, json_t *value)
{
    if (json_array_append_new(array, made(value)) < 0) {
        die_out_of_memory();
    }
}

#endif
