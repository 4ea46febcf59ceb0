#include "base/hash.h"

#include <xxhash.h>

/* Not by way of xxh_x86dispatch.h, which chooses by the core: its functions for AVX2 and AVX-512 come back without
 * vzeroupper (0.8.1). The upper halves of the vector registers are in use then, and whatever is compiled for SSE2, as all
 * of this program is there, waits for them at each load: decoding and encoding took four times as long. */
uint64_t hash64(const void *p, size_t len)
{
    return XXH3_64bits(p, len);
}
