#define HASH_NONFATAL_OOM 1
#include "engine_table.h"

#include <stdlib.h>

#include "engine_answer.h"

void engine_table_init(struct engine_table *t)
{
    t->entries = NULL;
    TAILQ_INIT(&t->due);
}

struct entry *engine_table_find(const struct engine_table *t, const char *id)
{
    struct entry *e;
    HASH_FIND_STR(t->entries, id, e);
    return e;
}

struct entry *engine_table_add(struct engine_table *t, const char *id)
{
    if (strlen(id) >= sizeof(((struct engine_container *)0)->id) ||
        HASH_COUNT(t->entries) >= WATCH_CONTAINERS_MAX) {
        return NULL;
    }
    struct entry *e = calloc(1, sizeof(*e));
    if (!e) {
        return NULL;
    }
    strcpy(e->c.id, id);
    e->c.exit_code = -1;
    HASH_ADD_STR(t->entries, c.id, e);
    if (!e->hh.tbl) {
        free(e);
        return NULL;
    }
    return e;
}

void engine_table_set_due(struct engine_table *t, struct entry *e, bool due)
{
    if (due && !e->due) {
        TAILQ_INSERT_TAIL(&t->due, e, link);
    } else if (!due && e->due) {
        TAILQ_REMOVE(&t->due, e, link);
    }
    e->due = due;
}

void engine_table_remove(struct engine_table *t, struct entry *e)
{
    engine_table_set_due(t, e, false);
    HASH_DEL(t->entries, e);
    engine_cancel(e->call);
    engine_container_clear(&e->c);
    free(e);
}
