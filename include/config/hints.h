/* Settings that a container asks for by its labels. */
#ifndef SIDETAIL_CONFIG_HINTS_H
#define SIDETAIL_CONFIG_HINTS_H

#include "config/config.h"

/* Is told of each label that is wrong: lines go on as without it. `why` says what was found and what was expected. */
struct hint_refused {
    void (*call)(void *arg, const char *label, const char *value, const struct error *why); /* NULL: nobody */
    void *arg;
};

/* What the labels (an object of strings, or NULL) ask for where those overrides fit, as config_overridden takes it: the
 * caller frees it. NULL: nothing. */
char *config_hints(const struct config *cfg, uint64_t overrides, const json_t *labels,
                   struct hint_refused refused);

#endif
