/* Globs of paths, as shells know them, with named parts: /logs/{service}/?*.log.
 *
 *   *  ?  [a-z]  [!a-z]   within a name, but for a dot at its beginning
 *   **                    as a whole name: any directories, one below the other, or none; at the end any
 *                         files in and below them. Directories that begin with a dot are none of them.
 *   {a,b}                 either; slashes, other elements and further braces may be in it
 *   {service}             one character or more, which is captured: see enum capture. {uid} and {id} match
 *                         likewise, and are not kept
 *   \x                    the character x, whatever it means otherwise
 *
 * `//` and `/./` are one slash. A `..` before the first wildcard or brace takes away the name before it. */
#ifndef SIDETAIL_BASE_PATTERN_H
#define SIDETAIL_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum capture { CAPTURE_SERVICE, CAPTURE_CONTAINER, CAPTURE_NAMESPACE, CAPTURE_POD, CAPTURE_COUNT };

/* What the named parts matched; "" where there is none. Text of more than 255 bytes is not kept. */
struct captures {
    char text[CAPTURE_COUNT][256];
};

/* The same in as few bytes as it takes, to be kept and freed by free(). Never NULL: memory that is out ends the
 * process. NULL unpacks as nothing captured. */
char *captures_pack(const struct captures *caps);
void captures_unpack(struct captures *caps, const char *packed);

/* A glob without alternatives. Its components from the first one with a wildcard on, or the last one, are
 * numbered from 0. */
struct pattern;

/* All that some globs stand for. {0} is empty; owns the patterns. */
struct pattern_list {
    struct pattern **items;
    size_t count;
};

/* Adds the patterns of a glob: one for each of its alternatives. `anywhere`: a glob that does not begin with
 * a slash holds in each directory; else it is refused. -1: err says what is wrong with it. */
int pattern_list_add(struct pattern_list *list, const char *glob, bool anywhere, struct error *err);
void pattern_list_free(struct pattern_list *list);
/* Does the path match one of them? It is absolute, without `//`, `.` and `..`, here as below. */
bool pattern_list_match(const struct pattern_list *list, const char *path);

/* The directory before the first component with a wildcard, in the form of such a path; that of the glob, so its
 * alternatives have the same. */
const char *pattern_base(const struct pattern *p);
/* How many components there are behind the base. */
size_t pattern_depth(const struct pattern *p);

/* Is component `depth` a `**`? Then a directory in whose place it stands may be passed over, and each
 * directory in it that pattern_passes stands in its place, too. The last component is none. */
bool pattern_any_depth(const struct pattern *p, size_t depth);
/* May `**`, which component `depth` is, stand for a directory of that name? */
bool pattern_passes(const struct pattern *p, size_t depth, const char *name);
/* Does the name match component `depth`, which is no `**`? Adds what it captures. */
bool pattern_match(const struct pattern *p, size_t depth, const char *name, struct captures *caps);
/* Does the path match, of which `rest` stands behind the base and its slash? Takes as long as both are long,
 * whatever either is. */
bool pattern_match_rest(const struct pattern *p, const char *rest);

#endif
