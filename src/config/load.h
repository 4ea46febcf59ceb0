/* How a configuration is put together: shared by the parts of config_load. */
#ifndef SIDETAIL_CONFIG_LOAD_H
#define SIDETAIL_CONFIG_LOAD_H

#include "config/value.h"
#include "json_location.h"

/* Where a key got its value. */
struct origin {
    enum { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV } kind;
    struct text_location location; /* of the value, in the file */
};

struct loading {
    struct config *cfg;
    const char *path;       /* of the configuration file; NULL: none */
    struct origin *origins; /* one for each of config_keys */
};

/* Each: 0, or -1 and the error as the user sees it. */
int config_load_file(struct loading *l, struct error *err);
int config_load_env(struct loading *l, struct error *err);

/* Reads a whole file of at most `max` bytes and ends it with a NUL that does not count. The caller frees
 * *data. 0, or -1 and a reason without the file's name. */
int config_read(const char *path, size_t max, char **data, size_t *len, struct error *why);

#endif
