#include "say.h"

#include <stdio.h>

#include "base/log.h"
#include "base/metrics.h"
#include "discover/log_driver.h"
#include "source/left_out.h"
#include "source/unreadable.h"

/* Notes what keeps its lines from being collected as they should be. */
static void note(const struct container *c, struct status_note **note, const char *reason, const char *detail)
{
    char id[ID_LEN + 1];
    snprintf(id, sizeof(id), "%.12s", c->id);
    status_note(note, &(struct status_left){.service = c->tags ? c->tags->service : NULL,
                                            .container = c->tags ? c->tags->container : NULL,
                                            .id = c->tags ? c->tags->id : id,
                                            .file = c->log.path,
                                            .reason = reason,
                                            .detail = detail,
                                            .problem = true});
}

void container_say_fault(struct container *c, enum log_place_fault before)
{
    static const char *const what[] = {
        [LOG_PLACE_LOST] = "a container's log is a link, and nothing can be found where it leads",
        [LOG_PLACE_ODD] = "a container's log is no regular file: its lines cannot be collected"};
    static const char *const hint[] = {
        [LOG_PLACE_LOST] =
            "where sidetail runs in a container, mount what the link leads to at the same path",
        [LOG_PLACE_ODD] = ""};
    enum log_place_fault fault = c->place.fault;
    if (fault == LOG_PLACE_GOOD) {
        c->fault_logged = false;
        status_note(&c->faulty, NULL);
    } else if (fault == before && !c->fault_logged) {
        c->fault_logged = true;
        metrics.refused_links++;
        log_warn(what[fault], KV("path", c->log.path), KV("target", c->place.target),
                 KV("hint", hint[fault]));
        struct error detail;
        error_set(&detail, "%s: it leads to %s", what[fault], c->place.target);
        note(c, &c->faulty, "link", detail.text);
    }
}

bool container_say_unread(struct container *c, const struct error *err)
{
    struct error detail;
    error_set(&detail, "its lines carry only its id: %s", err->text);
    note(c, &c->unread, "metadata", detail.text);
    if (c->metadata_logged) {
        return false;
    }
    c->metadata_logged = true;
    metrics.metadata_errors++;
    log_warn("a container's metadata cannot be read: its lines carry only its id until it can",
             KV("container", c->id), KV("error", err->text));
    return true;
}

void container_say_no_files(struct container *c, const struct tags *tags, const struct metadata *meta)
{
    note_driver(&c->left_out, tags, meta->driver, log_driver_keeps_nothing(meta->driver));
    if (c->unreadable_logged) {
        return;
    }
    c->unreadable_logged = true;
    const char *name = meta->who.name ? meta->who.name : "";
    name += name[0] == '/';
    if (log_driver_keeps_nothing(meta->driver)) {
        say_keeps_nothing(name, meta->driver);
    } else {
        log_info("a container logs neither to json-file nor to local: collect it with source docker-api",
                 KV("container", name), KV("driver", meta->driver));
    }
}

void container_say_nothing(struct container *c)
{
    status_note(&c->left_out, NULL);
    status_note(&c->unread, NULL);
    status_note(&c->faulty, NULL);
}
