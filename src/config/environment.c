/* Environment variables:
 * SIDETAIL_BATCH_BYTES=1MiB, or SIDETAIL_KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "overrides.h"

#define SECRET_SIZE_MAX 65536
#define FILE_SUFFIX     "_FILE"

static int set_from_text(struct loading *l, const struct key *key, const char *name, const char *text,
                         struct error *err)
{
    struct error why;
    size_t element;
    json_t *value = config_value_from_text(key, text, &why);
    int result = value ? config_value_set(key, l->cfg, value, &element, &why) : -1;
    if (result == 0 && key->type == KEY_OBJECTS) {
        struct override_fault fault;
        result = config_overrides_check(value, &fault);
        why = fault.why;
    }
    json_decref(value);
    l->origins[key - config_keys].kind = ORIGIN_ENV;
    return result < 0 ? error_set(err, "%s: %s", name, why.text) : 0;
}

/* The value is what the file holds, without its last newline. */
static int set_from_file(struct loading *l, const struct key *key, const char *name, const char *path,
                         struct error *err)
{
    struct error why;
    char *data;
    size_t len;
    if (config_read(path, SECRET_SIZE_MAX, &data, &len, &why) < 0) {
        return error_set(err, "%s: %s cannot be read: %s; expected a file that holds %s", name, path,
                         why.text, key->path);
    }
    if (len > 0 && data[len - 1] == '\n') {
        data[--len] = '\0';
    }
    int result = memchr(data, '\0', len)
                     ? error_set(err, "%s: found a NUL byte in %s; expected text", name, path)
                     : set_from_text(l, key, name, data, err);
    explicit_bzero(data, len);
    free(data);
    return result;
}

static int load_key(struct loading *l, const struct key *key, struct error *err)
{
    char name[CONFIG_ENV_MAX], file_name[CONFIG_ENV_MAX + sizeof(FILE_SUFFIX)];
    config_key_env(key, name);
    snprintf(file_name, sizeof(file_name), "%s" FILE_SUFFIX, name);
    const char *text = getenv(name), *path = getenv(file_name);
    if (text && path) {
        return error_set(err, "%s: found %s set, too; expected only one of the two", file_name, name);
    }
    if (text) {
        return set_from_text(l, key, name, text, err);
    }
    return path ? set_from_file(l, key, file_name, path, err) : 0;
}

/* Is it the name of a variable that belongs to a key? */
static bool known(const char *name)
{
    size_t len = strlen(name), suffix = strlen(FILE_SUFFIX);
    size_t base = len > suffix && !strcmp(name + len - suffix, FILE_SUFFIX) ? len - suffix : len;
    if (!strcmp(name, CONFIG_ENV_FILE)) {
        return true;
    }
    for (const struct key *key = config_keys; key->path; key++) {
        char env[CONFIG_ENV_MAX];
        config_key_env(key, env);
        if (!strcmp(env, name) || (strlen(env) == base && !strncmp(env, name, base))) {
            return true;
        }
    }
    return false;
}

/* Kubernetes sets such variables in every container for a service whose name begins with sidetail. */
static bool service_link(const char *entry)
{
    static const char pattern[] = "^SIDETAIL(_[A-Z0-9_]+)?_(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=[0-9]|"
                                  "PORT(_[0-9]+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://|"
                                  "PORT_[0-9]+_(TCP|UDP|SCTP)_(ADDR|PORT|PROTO)=)";
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    bool match = regexec(&regex, entry, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

static int refuse_unknown(struct error *err)
{
    for (char **entry = environ; entry && *entry; entry++) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(*entry, "="), *entry);
        if (!strncmp(name, CONFIG_ENV_PREFIX, strlen(CONFIG_ENV_PREFIX)) && !known(name) &&
            !service_link(*entry)) {
            char quoted[ERROR_QUOTE_MAX];
            return error_set(
                err, "environment: found unknown variable %s; expected a known one, the nearest is %s",
                error_quote(name, quoted), config_nearest_env(name));
        }
    }
    return 0;
}

/* With no value of its own the key goes by Docker's variable, as Docker's own clients do: set and empty means
 * no. Only where the Engine's address is given, too: contexts bring their own. */
static void docker_tls_verify(struct loading *l)
{
    const char *value = getenv("DOCKER_TLS_VERIFY"), *host = getenv("DOCKER_HOST");
    if (!l->cfg->docker_host[0] && !(host && *host)) {
        return;
    }
    const struct key *key = config_key_find("docker.tls_verify");
    if (l->origins[key - config_keys].kind == ORIGIN_DEFAULT && value && !*value) {
        l->cfg->docker_tls_verify = false;
    }
}

int config_load_env(struct loading *l, struct error *err)
{
    if (refuse_unknown(err) < 0) {
        return -1;
    }
    for (const struct key *key = config_keys; key->path; key++) {
        if (load_key(l, key, err) < 0) {
            return -1;
        }
    }
    docker_tls_verify(l);
    return 0;
}
