/* Reads the Engine's answers about containers. */
#ifndef SIDETAIL_DISCOVER_ENGINE_ANSWER_H
#define SIDETAIL_DISCOVER_ENGINE_ANSWER_H

#include "discover/engine_container.h"

/* Takes over the answer to /containers/ID/json. False: memory; some fields may be those of before. */
bool engine_answer_inspected(struct engine_container *c, const json_t *json);

/* Takes over one element of the answer to /containers/json: the container is list_only then. False:
 * likewise. */
bool engine_answer_listed(struct engine_container *c, const json_t *json);

/* Does the container of that element run? */
bool engine_answer_running(const json_t *json);

/* What the container of that element exited with; -1: it does not tell. */
int engine_answer_exit_code(const json_t *json);

/* Frees what the container holds, not the struct. */
void engine_answer_free(struct engine_container *c);

#endif
