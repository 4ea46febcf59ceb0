/* Shared by the modules of this folder only. */
#ifndef SIDETAIL_DISCOVER_ENGINE_CONTAINER_H
#define SIDETAIL_DISCOVER_ENGINE_CONTAINER_H

#include "discover/engine_watch.h"

/* Takes the Engine's answer to /containers/ID/json over. False: memory. */
bool engine_container_update(struct engine_container *c, const json_t *json);

/* Takes one element of its answer to /containers/json over; the container is brief then. False: memory. */
bool engine_container_list(struct engine_container *c, const json_t *json);

/* Does that element's container run? */
bool engine_container_listed_running(const json_t *json);

/* What the container exited with, as that element tells; -1: it does not. */
int engine_container_listed_exit(const json_t *json);

/* Frees what it holds, not the struct. */
void engine_container_free(struct engine_container *c);

#endif
