/* Path patterns with named parts: /logs/{service}/?*.log. Each component is a glob (* ? [a-z], none of which
 * match a leading dot or a slash); {name} matches one character or more and is captured. */
#ifndef SIDETAIL_BASE_PATTERN_H
#define SIDETAIL_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum capture { CAPTURE_SERVICE, CAPTURE_CONTAINER, CAPTURE_NAMESPACE, CAPTURE_POD, CAPTURE_COUNT };

/* What the named parts matched; "" where there is none. Other names than these four match and
 * are not kept. */
struct captures {
    char text[CAPTURE_COUNT][256];
};

struct pattern;

/* An absolute path. NULL: err says what is wrong with it. */
struct pattern *pattern_parse(const char *text, struct error *err);
void pattern_free(struct pattern *p);

/* The directory before the first component with a wildcard; the components from there on are
 * numbered from 0. */
const char *pattern_base(const struct pattern *p);
size_t pattern_depth(const struct pattern *p);

/* Does the name match component `depth`? Adds what it captures. */
bool pattern_match(const struct pattern *p, size_t depth, const char *name, struct captures *caps);

#endif
