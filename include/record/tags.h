/* Who wrote a line: the tags of one container (or of one file of a volume). Immutable once built; counted
 * references, so that records on their way keep the tags they were read under. */
#ifndef SIDETAIL_RECORD_TAGS_H
#define SIDETAIL_RECORD_TAGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "record/record.h"

struct config;
struct stats;

/* What is known of a container before it is tagged. Strings are borrowed; NULL where unknown. */
struct identity {
    const char *id;   /* 64 hex digits */
    const char *name; /* with or without its leading slash */
    const char *image;
    const json_t *labels;   /* object of strings; NULL: none known */
    const char *service;    /* named part of a path; wins over labels when set */
    const char *namespace_; /* Kubernetes */
    const char *pod;
};

/* How JSON's heads and its tail end. */
#define TAGS_JSON_LOG ",\"log\":\""
#define TAGS_JSON_END "}\n"
/* Bytes that may be read behind each piece below, so that it can be copied by blocks: what they are is no matter. */
#define TAGS_PAD 32

/* What is the same in each of a container's lines (encode.h), around the time and the text. */
struct tags_pieces {
    /* JSON: `","service":"web","stream":"stdout","log":"`. logfmt has one for both streams, the first:
     * ` service=web stream=`. */
    struct slice head[STREAM_COUNT];
    struct slice tail; /* JSON: `","project":"shop",…}` + newline; logfmt: `" project=shop …` */
    char text[];       /* what they point into */
};

/* What the configuration's overrides, and then its hints, make of a container. */
struct tags_choice {
    uint64_t overrides; /* which of them fit (config.h) */
    int format;         /* the enum format_kind that they set; -1: none does */
    /* NUL-terminated, in the same block as the tags; NULL where there is none. */
    const char *topic;      /* that they set */
    const char *hints;      /* what its labels ask for (config/hints.h) */
    const char *hint_fault; /* the first label that is wrong, and why */
};

struct tags {
    unsigned refs;
    /* NUL-terminated, in the same block; NULL where there is none, `service` and `host` are always there. */
    const char *service, *project, *container, *id /* 12 digits */, *full_id, *image, *task, *node, *host,
        *namespace_, *pod;
    json_t *labels; /* the chosen ones; NULL: none */

    /* In the same block; NULL: no override fits, and no label asks for anything. */
    const struct tags_choice *choice;

    struct tags_pieces *json, *logfmt; /* owned; NULL until a line is written so (tags_json, tags_logfmt) */

    struct stats *stats; /* counters of this service (metrics.h), shared; not owned */
};

extern const struct tags_choice tags_choice_none;
static inline const struct tags_choice *tags_chosen(const struct tags *tags)
{
    return tags->choice ? tags->choice : &tags_choice_none;
}

/* Tags with one reference; NULL when memory is out. The service is the first of who->service, the labels
 * sidetail.service, com.docker.swarm.service.name and com.docker.compose.service, the name, the short id,
 * cfg->service. */
struct tags *tags_new(const struct identity *who, const struct config *cfg);
/* The same of texts that are known already, such as those of a line that was shipped: `of` has texts (its host may
 * be NULL) and labels, which are copied; no override or hint is looked for. */
struct tags *tags_known(const struct tags *of);
struct tags *tags_ref(struct tags *tags);
void tags_unref(struct tags *tags); /* NULL is fine */

/* Do lines look alike, and go the same way, under both? */
bool tags_same(const struct tags *a, const struct tags *b);

/* Makes tags->json, tags->logfmt. That changes no tag, so whoever holds the tags may do it. NULL: no memory. */
const struct tags_pieces *tags_render_json(const struct tags *tags);
const struct tags_pieces *tags_render_logfmt(const struct tags *tags);

/* The same, once. */
static inline const struct tags_pieces *tags_json(const struct tags *tags)
{
    return tags->json ? tags->json : tags_render_json(tags);
}
static inline const struct tags_pieces *tags_logfmt(const struct tags *tags)
{
    return tags->logfmt ? tags->logfmt : tags_render_logfmt(tags);
}

/* May this container be collected? Not when its label sidetail.enable says false, 0, no or off, when anything
 * of `exclude` fits, when it is the collector's own (`self`: its id, or NULL), or when `include` has globs
 * for services, containers or labels of which none fits (each of the three kinds that has globs must fit). */
bool tags_wanted(const struct tags *tags, const struct identity *who, const struct config *cfg,
                 const char *self);
/* Why it may not. */
struct tags_refusal {
    const char *by; /* a key of the configuration, the label, or TAGS_OWN; NULL: it may */
    /* The glob of that key that fits, or the label's value; NULL: none fits (include), or there is none. */
    const char *value;
};
#define TAGS_OWN "own"
struct tags_refusal tags_refused(const struct tags *tags, const struct identity *who,
                                 const struct config *cfg, const char *self);
/* Is it the container of that id (NULL: none)? */
bool tags_is_own(const struct identity *who, const char *self);

/* The id of the container this process runs in, from /proc/self/{mountinfo,cgroup}; NULL when it runs in
 * none. Static storage. */
const char *tags_own_container(void);

/* The same from the text of those two files: true, and the id with its NUL. */
bool tags_container_in(const char *cgroup, const char *mountinfo, char id[65]);

#endif
