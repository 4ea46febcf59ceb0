/* XXH3-64 as XXH3_64bits of xxHash gives it, by the widest vectors that the core has; the plain function takes those that
 * each core has, with which a tail of 1 KiB takes twice as long. */
#ifndef SIDETAIL_BASE_HASH_H
#define SIDETAIL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *p, size_t len);

#endif
