/* Values of configuration keys: from JSON, from text, to JSON. `why` says "found …; expected …" without a
 * place. */
#ifndef SIDETAIL_CONFIG_VALUE_H
#define SIDETAIL_CONFIG_VALUE_H

#include <jansson.h>

#include "config/config.h"
#include "config/keys.h"

#define CONFIG_WHOLE SIZE_MAX /* the fault lies with the value as a whole */

/* Sets the key's field; what it held is freed. 0; -1 when the value does not fit, and the field is as it was:
 * *element is then the index of the list's or map's member that is wrong, or CONFIG_WHOLE. */
int config_value_set(const struct key *key, struct config *cfg, const json_t *value, size_t *element,
                     struct error *why);

/* The value that a text stands for, as an environment variable gives it. Text that is none of the key's type
 * comes back as a JSON string, for config_value_set to refuse. New reference, or NULL and why. */
json_t *config_value_from_text(const struct key *key, const char *text, struct error *why);

/* The key's field as JSON, secrets as they are. New reference, or NULL when memory is out. */
json_t *config_value_get(const struct key *key, const struct config *cfg);

/* What a value is, in words; strings and numbers that may be secret are not shown. */
void config_value_describe(const json_t *value, bool secret, char out[ERROR_QUOTE_MAX]);

/* Frees what the field holds and leaves it empty. */
void config_value_clear(const struct key *key, struct config *cfg);

#endif
