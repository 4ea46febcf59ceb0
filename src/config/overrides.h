/* The overrides as they were given, and taken apart. */
#ifndef SIDETAIL_CONFIG_OVERRIDES_H
#define SIDETAIL_CONFIG_OVERRIDES_H

#include "config/value.h"

/* Where a fault lies: indexes of elements and members as json_locate takes them, from the list on. */
struct override_fault {
    size_t path[5], depth;
    bool key;         /* with the member's name rather than its value */
    struct error why; /* begins with the path in words: `overrides[1].set.drop[0]: found …; expected …` */
};

/* Is the list what it should be, each object by itself? 0, or -1 and the fault. */
int config_overrides_check(const json_t *list, struct override_fault *fault);

/* Takes the list apart, which was checked; what there was before is freed. 0, or -1 (memory). */
int config_overrides_build(struct config *cfg);
void config_overrides_clear(struct config *cfg);

/* Calls `one` with each key that the override sets, and with its value, until that returns anything but 0. Returns what
 * it returned last. */
int config_override_each(const json_t *set, int (*one)(const struct key *key, const json_t *value, void *arg),
                         void *arg);

#endif
