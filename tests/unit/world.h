/* A whole collector but for its sink, for tests: source, pipeline and checkpoint over a directory of the
 * test's own, and a sink that keeps its output in memory as the file sink keeps its file: what lies beyond
 * the last checkpoint is cut off at a start. */
#ifndef SIDETAIL_TEST_WORLD_H
#define SIDETAIL_TEST_WORLD_H

#include "config/config.h"
#include "pipeline/pipeline.h"
#include "source/source.h"

struct world {
    char dir[64];        /* of the test, removed by world_free */
    char checkpoint[96]; /* path */
    struct config *cfg;
    struct buf out; /* what the sink took; the checkpoint holds its length, as it does a file's */
    bool stalled;   /* the sink acknowledges nothing */

    struct event_base *base; /* NULL: not running */
    struct checkpoint *positions;
    struct pipeline *pipeline;
    struct source *source;
    struct batch *waiting;
};

extern const char *world_parent; /* where the next one's directory is made; /tmp */
void world_new(struct world *w); /* aborts the test on any failure, as all of these */
/* Follows the files SERVICE/NAME.log below its directory; the directory web is there. */
void world_new_plain(struct world *w);
/* Its directory is one of containers; there is none yet. */
void world_new_json(struct world *w);
/* Adds one: WORLD_ID, of the name web, which has written nothing. */
void world_container(struct world *w);
#define WORLD_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
void world_start(struct world *w);
void world_run(struct world *w, int ms); /* turns the loop for so long */
void world_settle(struct world *w);      /* turns the loop until nothing has come out for a while */
void world_save(struct world *w);        /* all that was read, then a checkpoint */
void world_checkpoint(struct world *w);  /* a checkpoint of what was acknowledged up to now */
void world_kill(struct world *w);        /* ends without one */
void world_unstall(struct world *w);
void world_expect(const struct world *w, const char *text); /* that this is what came out */
void world_await(struct world *w, const char *text);        /* that this comes out within 20 seconds */
void world_free(struct world *w);

/* As a user who may read only what all may (skips the test when we are not root), and back: that is a
 * teardown too, for a test that fails between. */
void world_as_nobody(struct world *w);
void world_as_root(void);
int world_back_to_root(void **state);

/* Files below the directory. */
const char *world_path(struct world *w, const char *name);             /* static storage, four in turn */
void world_write(struct world *w, const char *name, const char *text); /* appends */
void world_rename(struct world *w, const char *from, const char *to);
void world_age(struct world *w, const char *name); /* written to an hour ago: nothing will come any more */
void world_copy(struct world *w, const char *from, const char *to);
void world_truncate_to(struct world *w, const char *name, const char *text); /* in place */
/* NAME → what world_packed(NAME) says: an archive of the kind world_suffix, .gz or .zst. */
void world_pack(struct world *w, const char *name);
const char *world_packed(const char *name); /* until four more are asked for */
extern const char *const world_suffixes[2], *world_suffix;
int world_use_gzip(void **state), world_use_zstd(void **state);
/* A cmocka test, run with archives of either kind. */
// clang-format off
#define WORLD_TEST_ARCHIVES_TEARDOWN(f, teardown)                                                            \
    {#f ", gzip", f, world_use_gzip, teardown, NULL}, {#f ", zstd", f, world_use_zstd, teardown, NULL}
// clang-format on
#define WORLD_TEST_ARCHIVES(f) WORLD_TEST_ARCHIVES_TEARDOWN(f, NULL)
/* A piece of a long line as Docker cuts it: PIECE_MIN bytes that begin so, filled up with dots. Static storage,
 * four in turn. */
const char *world_piece(const char *beginning);
/* Appends a json-file entry of that text, as it stands in JSON. */
void world_write_entry(struct world *w, const char *name, const char *text);
/* As world_expect, of a format and its text. */
void world_expectf(const struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
