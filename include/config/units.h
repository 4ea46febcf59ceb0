/* Sizes and durations as people write them. */
#ifndef SIDETAIL_CONFIG_UNITS_H
#define SIDETAIL_CONFIG_UNITS_H

#include <stdint.h>

#define UNITS_TEXT_MAX 32 /* bytes that the two below may write, NUL included */

/* `4096`, `256KiB` (also MiB, GiB), `10MB` (also kB, GB: powers of ten), as bytes. What is too big for the
 * type becomes INT64_MAX. 0, or -1 when it is none. */
int size_parse(const char *text, int64_t *bytes);
/* In the largest of KiB, MiB, GiB that leaves no fraction; without a unit when none does. */
void size_format(int64_t bytes, char out[UNITS_TEXT_MAX]);

/* `200ms`, `1s`, `5m`, `168h` and `0`, as nanoseconds. Likewise. */
int duration_parse(const char *text, int64_t *ns);
/* In the largest of ms, s, m, h that leaves no fraction. */
void duration_format(int64_t ns, char out[UNITS_TEXT_MAX]);

#endif
