#include "context.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4096
#define ID_LEN   64 /* a context's directory is called by the SHA-256 of its name, in hex */

static const char way_out[] = "docker context ls lists those that there are; set DOCKER_CONTEXT to one, or "
                              "DOCKER_HOST to the Engine's address";

static const char *env_or_empty(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* Where the docker client keeps its configuration; "": nowhere. */
static int config_dir(char *out, size_t size, struct error *err)
{
    const char *dir = env_or_empty("DOCKER_CONFIG"), *home = env_or_empty("HOME");
    int len = snprintf(out, size, "%s%s", *dir ? dir : home, *dir || !*home ? "" : "/.docker");
    return len < (int)size ? 0 : error_set(err, "DOCKER_CONFIG or HOME is too long a path");
}

/* What is in a file of the client's. NULL: it is not there or not for us (err is left alone), or it is not
 * JSON. No word of it gets into err: config.json holds passwords of registries. */
static json_t *read_json(const char *path, struct error *err)
{
    json_error_t where;
    FILE *file = fopen(path, "r");
    if (!file) {
        return NULL;
    }
    json_t *json = json_loadf(file, 0, &where);
    fclose(file);
    if (!json) {
        error_set(err, "the docker client's file %s is not valid JSON (line %d): mend it, or set DOCKER_HOST",
                  path, where.line);
    }
    return json;
}

static int set_name(struct engine_context *out, const char *name, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    if (strcmp(name, "default") == 0) {
        return 0;
    }
    if (snprintf(out->name, sizeof(out->name), "%s", name) >= (int)sizeof(out->name)) {
        return error_set(err, "the docker context's name is too long: %s", error_quote(name, quoted));
    }
    return 0;
}

static int find_name(const char *dir, struct engine_context *out, struct error *err)
{
    const char *chosen = env_or_empty("DOCKER_CONTEXT");
    if (*chosen) {
        return set_name(out, chosen, err);
    }
    char path[PATH_LEN];
    struct error broken = {0};
    if (*dir == '\0' || snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path)) {
        return 0;
    }
    json_t *config = read_json(path, &broken);
    const char *current = json_string_value(json_object_get(config, "currentContext"));
    int result =
        broken.text[0] ? error_set(err, "%s", broken.text) : set_name(out, current ? current : "", err);
    json_decref(config);
    return result;
}

static void hash(const char *name, char id[ID_LEN + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(name, strlen(name), digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < ID_LEN / 2; i++) {
        snprintf(id + 2 * i, 3, "%02x", digest[i]);
    }
}

static int take_endpoint(const json_t *meta, struct engine_context *out, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    const json_t *endpoint = json_object_get(json_object_get(meta, "Endpoints"), "docker");
    if (!json_is_object(endpoint)) {
        return error_set(err, "the docker context %s leads to no Engine: %s", error_quote(out->name, quoted),
                         way_out);
    }
    const char *host = json_string_value(json_object_get(endpoint, "Host"));
    out->skip_verify = json_is_true(json_object_get(endpoint, "SkipTLSVerify"));
    if (snprintf(out->host, sizeof(out->host), "%s", host ? host : "") >= (int)sizeof(out->host)) {
        return error_set(err, "the Engine's address in the docker context %s is too long",
                         error_quote(out->name, quoted));
    }
    return 0;
}

static int load_meta(const char *path, struct engine_context *out, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    struct error broken = {0};
    errno = 0;
    json_t *meta = read_json(path, &broken);
    if (!meta && broken.text[0]) {
        return error_set(err, "%s", broken.text);
    }
    if (!meta && errno != ENOENT && errno != ENOTDIR) {
        return error_set(err, "cannot read the docker context %s (%s): %s", error_quote(out->name, quoted),
                         path, strerror(errno));
    }
    if (!meta) {
        return error_set(
            err, "there is no docker context %s, which %s names: %s", error_quote(out->name, quoted),
            *env_or_empty("DOCKER_CONTEXT") ? "DOCKER_CONTEXT" : "currentContext of config.json", way_out);
    }
    int result = take_endpoint(meta, out, err);
    json_decref(meta);
    return result;
}

int engine_context_find(struct engine_context *out, struct error *err)
{
    char dir[PATH_LEN], path[PATH_LEN], id[ID_LEN + 1];
    *out = (struct engine_context){0};
    if (config_dir(dir, sizeof(dir), err) < 0 || find_name(dir, out, err) < 0) {
        return -1;
    }
    if (out->name[0] == '\0') {
        return 0;
    }
    hash(out->name, id);
    if (snprintf(path, sizeof(path), "%s/contexts/meta/%s/meta.json", dir, id) >= (int)sizeof(path) ||
        snprintf(out->tls_dir, sizeof(out->tls_dir), "%s/contexts/tls/%s/docker", dir, id) >=
            (int)sizeof(out->tls_dir)) {
        return error_set(err, "the path of the docker client's configuration is too long: %s", dir);
    }
    if (access(out->tls_dir, F_OK) < 0 && errno == ENOENT) {
        out->tls_dir[0] = '\0';
    }
    return load_meta(path, out, err);
}
