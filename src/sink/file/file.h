/* The file sink's inside: exactly once into a file that rotates.
 *
 * The checkpoint holds one output file (inode, and what it begins with) and a length; the positions in it
 * belong to exactly those bytes. On start, what lies beyond that length is cut off, and is written again from
 * the positions.
 *
 * What makes that hold across rotation, with P the path and a kill -9 at any instant:
 *   - Into a file that no saved checkpoint names, nothing is written ("settle": save first, then write).
 *   - So the saved checkpoint's file A is either the one at P, or was moved away when nothing newer holds a
 * byte.
 *   - A is found by its inode, under whatever name of the directory; it is cut there.
 *   - Only a file that the saved checkpoint does not name is compressed or removed.
 *
 * A rotation, and what a start finds after a kill before each step:
 *   1. create P.new, lock it           A at P: cut there
 *   2. P.n → P.n+1 … P.1 → P.2         A at P; an empty P.new (removed); later also a hole in the numbers,
 * which the next rotation fills
 *   3. P → P.1                         as before
 *   4. P.new → P                       A at P.1: cut there; no P: created, empty
 *   5. fsync of A and of the directory A at P.1: cut there; P is empty
 *   6. save: P, length 0               the same
 *   7. write on; remove P.keep+1       P: cut to 0
 *   8. gzip P.k into P.gz.new, fsync   P as saved; P.gz.new is removed, compressing begins anew
 *   9. P.gz.new → P.k.gz               the same
 *  10. remove P.k                      P.k and P.k.gz: P.k is removed when the other holds as much
 * A reopen (SIGUSR1) after somebody else moved P away is steps 5 to 7 with another name for P.1. */
#ifndef SIDETAIL_SINK_FILE_H
#define SIDETAIL_SINK_FILE_H

#include "config/config.h"
#include "sink/send_queue.h"
#include "sink/retry.h"
#include "sink/sink.h"

/* A file open for appending, locked against other collectors. */
struct output {
    int fd;
    uint64_t length; /* what we know it to hold */
    struct file_id id;
    int64_t birth_ns; /* of the file; 0: the file system does not tell */
    int64_t since_ns; /* of its first record (wall clock); counts for rotation by age */
};

struct gzip;

struct file_sink {
    struct sink sink;
    struct sink_env env;
    char *path;       /* for messages */
    char *dir, *name; /* its two parts */
    int dirfd;
    struct output out;
    int previous;     /* written before `out`, until a checkpoint that names `out` is saved; -1: none */
    size_t unflushed; /* bytes written since the disk was last set to work */
    bool settled;     /* the saved checkpoint names `out` */
    bool
        torn; /* the file does not end in a newline, for it is not ours: one is put before the first record */
    bool rotate_due;
    bool rotate_failing;
    int64_t rotate_not_before_ns; /* monotonic; after a failed rotation */
    bool ready, flushing;
    bool broken; /* an fsync failed; fault says how */
    struct error fault;
    struct send_queue queue;
    struct retry retry;
    struct event *later, *age_timer, *gzip_timer;
    struct gzip *gzip; /* NULL: nothing is being compressed */
};

/* file_open.c */

/* Opens (creates) `name` in the sink's directory, locks it, fills *out. `flags`: O_EXCL or 0. 0 or -1. */
int output_open(struct file_sink *s, const char *name, int flags, struct output *out, struct error *err);
void output_close(struct output *out);
/* Brings id.head_hash up to what it is with `length` bytes. 0 or -1 (errno). */
int output_identify(struct output *out, uint64_t length);
/* Is that name this file? */
bool output_is_at(const struct file_sink *s, const char *name, const struct output *out);
/* After s->out was opened: cuts off what the checkpoint does not know, wherever it is. 0 or -1. */
int output_recover(struct file_sink *s, struct error *err);

/* file.c: goes on in another file; the current one is closed once the checkpoint names the new one. */
void file_switch(struct file_sink *s, const struct output *to);
/* The same with a file opened at the path, since the current one is not there any more. 0 or -1. */
int file_begin_anew(struct file_sink *s, struct error *err);

/* file_rotate.c */

/* Moves the file to P.1 and begins a new one. Only when nothing is half written. Failure is said, and tried
 * again later. */
void file_rotate(struct file_sink *s);
/* At start: removes the empty P.new that a kill left behind. */
void file_clean(const struct file_sink *s);
/* Removes rotated files beyond the number kept. */
void file_prune(const struct file_sink *s, int64_t keep);
/* The numbers there are of rotated files: what exists of P.<number>. */
enum { ROTATED_PLAIN = 1, ROTATED_GZIP = 2 };
int rotated_exists(const struct file_sink *s, int64_t number);
#define ROTATED_NAME_MAX 300 /* a name of at most 255 bytes, and what is put behind it */
void rotated_name(const struct file_sink *s, int64_t number, int kind, char out[ROTATED_NAME_MAX]);

/* file_gzip.c: compresses rotated files one after the other, in small steps from the loop. */
void gzip_begin(struct file_sink *s);                 /* looks for work; call when settled */
void gzip_moved(struct file_sink *s, int64_t number); /* P.<number> became P.<number + 1> */
void gzip_stop(struct file_sink *s);
void gzip_step(evutil_socket_t fd, short what, void *arg); /* gzip_timer's callback */
void gzip_clean(const struct file_sink *s);                /* at start: what a kill left behind */

#endif
