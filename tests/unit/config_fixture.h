/* What the tests of the configuration share: a file in a directory of their own, and a clean environment. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/value.h"

static char directory[] = "/tmp/sidetail-config-XXXXXX";
static char path[64]; /* of the configuration file */

static inline int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/c.json", directory);
    return 0;
}

static inline int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static inline int clean_environment(void **state)
{
    (void)state;
    return clearenv();
}

static inline void write_file(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline struct config *load_text(const char *text, struct error *err)
{
    write_file(path, text, strlen(text));
    return config_load(path, err);
}

/* The text is a valid configuration. */
static inline struct config *loaded(const char *text)
{
    struct error err;
    struct config *cfg = load_text(text, &err);
    if (!cfg) {
        fail_msg("%s", err.text);
    }
    return cfg;
}

/* The text is refused with this message, which begins with line and column. */
static inline void assert_refused(const char *text, const char *message)
{
    struct error err;
    struct config *cfg = load_text(text, &err);
    if (cfg) {
        config_free(cfg);
        fail_msg("was accepted: %s", text);
    }
    size_t prefix = strlen(path);
    assert_memory_equal(err.text, path, prefix);
    assert_int_equal(err.text[prefix], ':');
    assert_string_equal(err.text + prefix + 1, message);
}

/* Likewise what the environment says; the message is all of it. */
static inline void assert_environment_refused(const char *message)
{
    struct error err;
    struct config *cfg = config_load(NULL, &err);
    if (cfg) {
        config_free(cfg);
        fail_msg("was accepted, and not refused with: %s", message);
    }
    assert_string_equal(err.text, message);
}

#endif
