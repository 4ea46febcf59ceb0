/* Does the test run under valgrind, which preloads a library of its own? */
#ifndef SIDETAIL_TEST_UNDER_VALGRIND_H
#define SIDETAIL_TEST_UNDER_VALGRIND_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

#endif
