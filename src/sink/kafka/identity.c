/* The name under which positions are kept. It must outlive the process and the container it runs in. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/tags.h"
#include "sink/kafka.h"

/* The id of this swarm node, which Docker puts on each container of a service, ours too. The caller owns it.
 * NULL: there is none. */
static char *swarm_node(const struct config *cfg, const char *own)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s/config.v2.json", cfg->json_file_path, own);
    json_t *json = json_load_file(path, 0, NULL);
    const json_t *labels = json_object_get(json_object_get(json, "Config"), "Labels");
    const char *node = json_string_value(json_object_get(labels, "com.docker.swarm.node.id"));
    char *copy = node ? strdup(node) : NULL;
    json_decref(json);
    return copy;
}

char *kafka_identity(const struct config *cfg, struct error *err)
{
    char host[256] = "";
    const char *own = tags_own_container();
    const char *name = cfg->kafka_identity;
    if (!*name && own) {
        char *node = swarm_node(cfg, own);
        if (node) {
            return node;
        }
    }
    if (!*name && *cfg->host) {
        name = cfg->host;
    }
    if (!*name) {
        gethostname(host, sizeof(host) - 1);
        name = host;
    }
    size_t len = strlen(name);
    if (len == 0 || (own && len >= 12 && !strncmp(name, own, len))) {
        error_set(
            err,
            "kafka.identity: not set, and this host's name (%s) changes with each new container, so that "
            "positions would not be found again; set it (SIDETAIL_KAFKA_IDENTITY) to a name of its own, "
            "such as the node's",
            name);
        return NULL;
    }
    char *copy = strdup(name);
    if (!copy) {
        error_set(err, "out of memory");
    }
    return copy;
}
