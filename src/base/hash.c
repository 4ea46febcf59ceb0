#include "base/hash.h"

#include <xxhash.h>
/* It is there where the library for x86-64 chooses by the core, and has XXH3_64bits be the function that does. Where it is
 * compiled for another machine, it may be there as well. */
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

uint64_t hash64(const void *p, size_t len)
{
    return XXH3_64bits(p, len);
}
