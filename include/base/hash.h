/* XXH3-64 as XXH3_64bits of xxHash gives it, by vectors that every core has. */
#ifndef SIDETAIL_BASE_HASH_H
#define SIDETAIL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *p, size_t len);

#endif
