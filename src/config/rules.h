/* Rules about several keys at once, checked when all have their values. */
#ifndef SIDETAIL_CONFIG_RULES_H
#define SIDETAIL_CONFIG_RULES_H

#include "config/config.h"

struct config_fault {
    const char *keys[2]; /* paths of the keys that do not go together; the second may be NULL */
    struct error why;    /* "…; expected …" */
};

/* 0, or -1 and the first rule that is broken. */
int config_rules(const struct config *cfg, struct config_fault *fault);
/* The same of the keys that may be set for some containers. */
int config_rules_of_some(const struct config *cfg, struct config_fault *fault);

#endif
