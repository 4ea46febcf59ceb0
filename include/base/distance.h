/* How unlike two names are: to tell of a mistyped one which was meant. */
#ifndef SIDETAIL_BASE_DISTANCE_H
#define SIDETAIL_BASE_DISTANCE_H

#include <stddef.h>

/* Edits that turn one into the other: insert, delete, replace a character, swap two neighbours. Case does not
 * count, and '-' is '_'. Only the first 80 bytes are compared. */
size_t name_distance(const char *a, const char *b);

#endif
