/* Where things stand in a JSON text: jansson keeps no places of values, and says of a syntax error only where
 * it ended. */
#ifndef SIDETAIL_CONFIG_JSON_LOCATION_H
#define SIDETAIL_CONFIG_JSON_LOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Both count from 1; columns are characters of UTF-8, a tab is one. */
struct text_location {
    unsigned line, column;
};

struct text_location text_location_of(struct slice text, size_t offset);

/* The token that byte `offset` belongs to, or the next one when it is white space between two; empty, at the
 * end of the text, when there is none. The text need not be valid. */
struct slice json_token_at(struct slice text, size_t offset);

/* Goes down from the top value of a valid text: path[0] is the index of a member (or element) of it, path[1]
 * of one of that, and so on. Members have the order in which jansson iterates over them, which is the text's
 * as long as no key comes twice. Returns the offset of what the path leads to: of the member's key if `key`,
 * else of its value. */
size_t json_locate(struct slice text, const size_t *path, size_t depth, bool key);

#endif
