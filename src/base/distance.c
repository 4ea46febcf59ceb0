#include "base/distance.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define NAME_MAX_COMPARED 80

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return (a == '-' ? '_' : tolower((unsigned char)a)) == (b == '-' ? '_' : tolower((unsigned char)b));
}

size_t name_distance(const char *a, const char *b)
{
    size_t row[3][NAME_MAX_COMPARED + 1];
    size_t na = strnlen(a, NAME_MAX_COMPARED), nb = strnlen(b, NAME_MAX_COMPARED);
    size_t *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= nb; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = last[j - 1] + !same(a[i - 1], b[j - 1]);
            now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[nb];
}
