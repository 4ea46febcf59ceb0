#include "config/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit size_units[] = {
    {"GiB", INT64_C(1) << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1000000000},
    {"MB", 1000000},           {"kB", 1000},     {"", 1},          {NULL, 0},
};
#define SIZE_UNITS_BINARY 3

static const struct unit duration_units[] = {
    {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS}, {NULL, 0},
};

static int64_t multiply(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* Digits and a unit. */
static int parse(const char *text, const struct unit *units, int64_t *out)
{
    int64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = multiply(value, 10);
        if (__builtin_add_overflow(value, *p - '0', &value)) {
            value = INT64_MAX;
        }
    }
    if (p == text) {
        return -1;
    }
    for (const struct unit *u = units; u->name; u++) {
        if (!strcmp(p, u->name)) {
            *out = multiply(value, u->factor);
            return 0;
        }
    }
    return -1;
}

int size_parse(const char *text, int64_t *bytes)
{
    return parse(text, size_units, bytes);
}

void size_format(int64_t bytes, char out[UNITS_TEXT_MAX])
{
    for (size_t i = 0; i < SIZE_UNITS_BINARY; i++) {
        const struct unit *u = &size_units[i];
        if (bytes != 0 && bytes % u->factor == 0) {
            snprintf(out, UNITS_TEXT_MAX, "%" PRId64 "%s", bytes / u->factor, u->name);
            return;
        }
    }
    snprintf(out, UNITS_TEXT_MAX, "%" PRId64, bytes);
}

int duration_parse(const char *text, int64_t *ns)
{
    if (!strcmp(text, "0")) {
        *ns = 0;
        return 0;
    }
    return parse(text, duration_units, ns);
}

void duration_format(int64_t ns, char out[UNITS_TEXT_MAX])
{
    const struct unit *u = duration_units;
    if (ns == 0) {
        snprintf(out, UNITS_TEXT_MAX, "0s");
        return;
    }
    while (ns % u->factor != 0 && u[1].name) {
        u++;
    }
    snprintf(out, UNITS_TEXT_MAX, "%" PRId64 "%s", ns / u->factor, u->name);
}
