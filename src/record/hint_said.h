/* Which faults of labels were told: tags are made anew often, and a fault is told once. */
#ifndef SIDETAIL_RECORD_HINT_SAID_H
#define SIDETAIL_RECORD_HINT_SAID_H

#include "record/tags.h"

/* True the first time for that container, label and value; again only after very many others. */
bool hint_is_new(const struct tags *container, const char *label, const char *value);

#endif
