/* Goes through the text of a JSON object while it comes in pieces. It builds nothing, so what a tree of it would take is
 * known before there is one. It finds the end of an object; whether that is valid is for a parser to say. */
#ifndef SIDETAIL_ENGINE_JSON_SCAN_H
#define SIDETAIL_ENGINE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* {0} stands before an object. */
struct json_scan {
    unsigned depth;
    bool string, escaped;
    size_t values; /* so far; each takes a parser some 240 bytes at most, besides its text */
};

/* Up to the object's end, or to the end of the bytes. The number of bytes gone through. */
size_t json_scan(struct json_scan *s, const char *bytes, size_t len);

/* Did the last call come to the object's end? */
static inline bool json_scan_ended(const struct json_scan *s)
{
    return s->depth == 0 && s->values > 0;
}

#endif
