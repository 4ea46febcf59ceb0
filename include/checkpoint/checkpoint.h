/* What has been delivered: the positions of all feeds, and how far the output file reached with them.
 *
 * Kept in memory, and (unless the sink keeps it: Kafka) in one local file of two lines:
 *     {"sidetail":"checkpoint","version":3,"xxh3":"SUM"}
 *     {"output":POSITION,"feeds":{"KEY":{"seen":<unix seconds>,"at":POSITION},…}}
 * Where no position has `tears`, the version is 2. SUM is the XXH3-64 of the second line without its newline, in 16 hex
 * digits. POSITION is as in position.h; output is null where there is none. In a KEY, bytes outside printable ASCII, and
 * `"`, `\` and `%`, are written %XX, so that any path survives. The file is written whole to PATH.new.XXXXXX, fsync,
 * rename, fsync of the directory: what is at PATH is always one complete checkpoint. */
#ifndef SIDETAIL_CHECKPOINT_H
#define SIDETAIL_CHECKPOINT_H

#include "base/error.h"
#include "record/compact_position.h"
#include "record/feed_key.h"
#include "record/position.h"

struct checkpoint;

/* An empty one that keeps nothing on disk until checkpoint_load. NULL: memory. */
struct checkpoint *checkpoint_new(void);
void checkpoint_free(struct checkpoint *c);

/* Reads the file at `path`, and saves to it from now on, as the only process to do so: PATH.lock is locked before
 * anything is looked at, until checkpoint_free. `path` "" keeps nothing on disk. A missing file is an empty checkpoint,
 * to be saved; a missing directory is made. A file that is damaged, or is no checkpoint at all, is renamed to
 * PATH.corrupt-<unix time>, reported with log_error, and counts as empty. Returns 0; -1 when the file cannot be read or
 * renamed, or its directory cannot be written. Two failures have an exit code of their own in err: EXIT_LOCKED where
 * another process has the lock, which err names, and EXIT_CONFIG where a newer version wrote the file, which is left as
 * it is. After an error nothing is kept on disk.
 *
 * A save drops entries that nobody has asked for since (checkpoint_get, checkpoint_set) and that were last in
 * use more than `retention_ns` ago; but none within `retention_ns` or CHECKPOINT_GRACE_S of the load,
 * whichever is shorter, for what they belong to may come late (an Engine, a mount). */
int checkpoint_load(struct checkpoint *c, const char *path, int64_t retention_ns, struct error *err);
#define CHECKPOINT_GRACE_S 600 /* seconds */

/* Writes the file when checkpoint_dirty. 0, or -1: memory is as before, try again later. Takes some
 * milliseconds with a thousand feeds, most of them the disk's. */
int checkpoint_save(struct checkpoint *c, struct error *err);

/* Did something change since the last save, or is each `seen` in the file an hour old? */
bool checkpoint_dirty(const struct checkpoint *c);

/* When it was saved last before this process, unix ns: what was made later, nobody has looked at. 0: never,
 * or that is not known; the first start. */
int64_t checkpoint_saved_before(const struct checkpoint *c);

/* The position of a feed. NULL: there is none. Valid until the next call or change. */
const struct position *checkpoint_get(struct checkpoint *c, const char *key);

/* Sets the position of a feed; one of the kind POSITION_NONE forgets the feed. 0 or -1 (memory). */
int checkpoint_set(struct checkpoint *c, const char *key, const struct position *pos);

/* The same, of a feed that is asked of often: finds it faster. 0 or -1 (memory). */
int checkpoint_move(struct checkpoint *c, struct feed_key *key, const struct compact_position *pos);

/* For a sink that keeps the positions itself: sets a position that it read back, last written at `seen` (unix
 * seconds). This does not count as asking for the entry. 0 or -1 (memory). */
int checkpoint_restore(struct checkpoint *c, const char *key, const struct position *pos, int64_t seen);

/* For the same: drops the entries that nobody has asked for in this process and that were last written before
 * `before` (unix seconds), and calls fn for each. Not to be called within CHECKPOINT_GRACE_S of the start. */
void checkpoint_expire(struct checkpoint *c, int64_t before, void (*fn)(void *arg, const char *key),
                       void *arg);

/* The output file that the positions belong to: `offset` is its length, `mtime_ns` the time at which it was
 * made (0: not known). NULL: none. Valid until the next change. */
const struct file_pos *checkpoint_output(const struct checkpoint *c);
void checkpoint_set_output(struct checkpoint *c, const struct file_pos *output); /* NULL: none */

/* Calls fn for each feed; fn must not change the checkpoint. */
void checkpoint_each(struct checkpoint *c, void (*fn)(void *arg, const char *key, const struct position *pos),
                     void *arg);

#endif
