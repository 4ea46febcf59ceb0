/* Walks through an object of a JSON text that was checked (json_check.h): every string and bracket is closed. */
#ifndef SIDETAIL_BASE_JSON_WALK_H
#define SIDETAIL_BASE_JSON_WALK_H

#include <stdbool.h>

#include "base/slice.h"

/* Where the first member of the object is looked for; white space may stand before the object. */
const char *json_members(const char *object);

/* Moves *p on behind the next member. `key` is without its quotes, `value` as it stands. False: there is none. */
bool json_next_member(const char **p, struct slice *key, struct slice *value);

#endif
