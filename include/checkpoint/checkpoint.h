/* What has been delivered: the positions of all feeds, and how far the output file reached with them.
 *
 * Kept in memory, and (unless the sink keeps it: Kafka) in one local file of two lines:
 *     {"sidetail":"checkpoint","version":1,"xxh3":"<16 hex digits: XXH3-64 of the second line, newline not
 * included>"}
 *     {"output":POSITION,"feeds":{"<key>":{"seen":<unix seconds>,"at":POSITION},…}}
 * POSITION as in position.h; output is null where there is none. A key's bytes outside printable ASCII, and
 * `"`, `\` and
 * `%`, are written %XX, so that any path survives. It is written whole to PATH.new, fsync, rename, fsync of
 * the directory: what is at PATH is always one complete checkpoint. */
#ifndef SIDETAIL_CHECKPOINT_H
#define SIDETAIL_CHECKPOINT_H

#include "base/error.h"
#include "record/position.h"

struct checkpoint;

struct checkpoint *checkpoint_new(void); /* NULL: memory */
void checkpoint_free(struct checkpoint *c);

/* Reads the file, and from now on saves to it. `path` "" keeps nothing on disk. A missing file is empty; a
 * missing directory is made. One that is damaged or is no checkpoint at all is renamed to
 * PATH.corrupt-<unix time>, said with log_error, and counts as empty. 0; -1 when it cannot be read or set
 * aside, or its directory cannot be written; CHECKPOINT_TOO_NEW when a newer version wrote it, which is left
 * as it is. On an error nothing is kept on disk.
 *
 * Entries that nobody has asked for since (checkpoint_get, checkpoint_set) are dropped by a save
 * `retention_ns` after they were last in use; not within ten minutes of the load, for what they belong to may
 * come late (an Engine, a mount). */
#define CHECKPOINT_TOO_NEW (-2)
int checkpoint_load(struct checkpoint *c, const char *path, int64_t retention_ns, struct error *err);
#define CHECKPOINT_GRACE_S 600

/* Writes the file when something changed since the last time. 0, or -1 (memory is as before: try again
 * later). Costs some milliseconds with a thousand feeds, most of it the disk's. */
int checkpoint_save(struct checkpoint *c, struct error *err);
/* Something changed, or the file's `seen` are an hour old. */
bool checkpoint_dirty(const struct checkpoint *c);

/* The position of a feed; NULL when there is none. Valid until the next change. */
const struct position *checkpoint_get(struct checkpoint *c, const char *key);
/* Sets it; kind POSITION_NONE forgets the feed. 0 or -1 (memory). */
int checkpoint_set(struct checkpoint *c, const char *key, const struct position *pos);

/* For a sink that keeps the positions itself. Sets a position read back, last written at `seen` (unix
 * seconds); nobody counts as having asked for it. 0 or -1 (memory). */
int checkpoint_restore(struct checkpoint *c, const char *key, const struct position *pos, int64_t seen);
/* Drops the entries that nobody has asked for in this process, last written before `before` (unix seconds),
 * and calls fn for each. Not within CHECKPOINT_GRACE_S of the start: what they belong to may come late. */
void checkpoint_expire(struct checkpoint *c, int64_t before, void (*fn)(void *arg, const char *key),
                       void *arg);

/* The output file that the positions belong to: offset is its length, mtime_ns when it was made (0: not
 * known). NULL: none. */
const struct file_pos *checkpoint_output(const struct checkpoint *c);
void checkpoint_set_output(struct checkpoint *c, const struct file_pos *output);

/* Calls fn for each feed known. */
void checkpoint_each(struct checkpoint *c, void (*fn)(void *arg, const char *key, const struct position *pos),
                     void *arg);

#endif
