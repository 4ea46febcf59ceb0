#include "source/left_out.h"

#include <stdio.h>
#include <string.h>

void note_refused(struct status_note **note, const struct tags *tags, const char *file,
                  struct tags_refusal refusal)
{
    struct error detail = {0};
    bool own = strcmp(refusal.by, TAGS_OWN) == 0;
    if (own) {
        error_set(&detail, "the collector's own container");
    } else if (refusal.value) {
        error_set(&detail, "%s: %s", refusal.by, refusal.value);
    } else {
        error_set(&detail, "%s: nothing there fits", refusal.by);
    }
    status_note(note, &(struct status_left){.service = tags->service,
                                            .container = tags->container,
                                            .id = tags->id,
                                            .file = file,
                                            .reason = own ? "own" : "excluded",
                                            .detail = detail.text});
}

void note_driver(struct status_note **note, const struct tags *tags, const char *driver, bool nothing)
{
    struct error detail = {0};
    error_set(&detail, "%s: %s", driver,
              nothing ? "keeps nothing that can be read" : "only source docker-api may read it");
    status_note(note, &(struct status_left){.service = tags->service,
                                            .container = tags->container,
                                            .id = tags->id,
                                            .reason = "driver",
                                            .detail = detail.text});
}
