/* Is a text JSON? Nothing is built, nothing allocated. */
#ifndef SIDETAIL_BASE_JSON_CHECK_H
#define SIDETAIL_BASE_JSON_CHECK_H

#include <stdbool.h>

#include "base/slice.h"

#define JSON_CHECK_DEPTH 64 /* deeper ones are refused */

/* One object by RFC 8259, white space around it allowed. The text is valid UTF-8. \u escapes of half a
 * surrogate pair are refused: parsers differ over them. */
bool json_check_object(struct slice text);

#endif
