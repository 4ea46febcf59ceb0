/* One container in Docker's containers directory: its metadata, its log and the watches of both. */
#ifndef SIDETAIL_SOURCE_JSON_FILE_CONTAINER_H
#define SIDETAIL_SOURCE_JSON_FILE_CONTAINER_H

#include <uthash.h>

#include "base/status.h"
#include "base/watch.h"
#include "config/config.h"
#include "discover/log_place.h"
#include "discover/metadata.h"
#include "source/log/tailer.h"

#define ID_LEN 64

struct json_file;

struct container {
    struct json_file *source;
    char id[ID_LEN + 1];
    char *dir; /* path */
    struct container_log log;
    const char *log_name;     /* the name in its path */
    struct log_place place;   /* of log.path; {0}: it was not asked for yet */
    struct watch *watch;      /* of dir; NULL: none, or not collected */
    struct watch *log_watch;  /* of its log's directory, where that is another one; NULL: likewise */
    struct follow *follow;    /* NULL: not collected */
    struct watch *file_watch; /* of its log by itself; NULL: told_how is another */
    enum told told_how;       /* of what is written in place where its log lies */
    bool missed;              /* since its metadata was looked at, it may have been written to untold */
    struct tags *tags;        /* NULL: not known yet */
    bool first_look;          /* was there before we were; where its log ended then was not noted */
    struct file_pos *from;    /* that was noted: where its log ended as we began; owned. NULL: it was not */
    bool metadata_logged;     /* it was logged that its metadata cannot be read */
    bool fault_logged;        /* it was logged that where its log lies there is none that can be read */
    bool unreadable_logged;   /* it was logged that its driver writes nothing that can be read */
    bool settled;             /* its metadata was read */
    int64_t metadata_ns;      /* the time of that; 0: it was not there */
    unsigned number;          /* of those that were added */
    bool told;   /* as of the last look, all that may happen to it is told, and nothing but writing was */
    bool silent; /* and it rests, and no writing was told since */
    /* For /status, NULL where there is nothing to note: that it is left out; that its metadata cannot be read; that where
     * its log lies there is none that can be read. */
    struct status_note *left_out, *unread, *faulty;
    UT_hash_handle hh;
};

/* The source, as it and its containers see it. */
struct json_file {
    struct source source;
    const struct config *cfg;
    struct checkpoint *checkpoint;
    struct tailer *tailer;
    struct watcher *watcher;
    struct watch *root;
    bool root_logged;    /* it was logged that the directory cannot be read */
    bool watches_scarce; /* there were not enough for directories and files: files get none any more */
    bool watches_logged; /* it was logged that there are not enough for all directories */
    int64_t root_mtime;
    struct container *containers; /* by id */
    struct container *ending;     /* deleted, being read to their ends */
    unsigned added, looks, file_watches;
    struct event *tick;
};

/* Adds the container in the directory `id`, where it is not known yet, and follows its log where that is wanted. Memory
 * that runs out ends the process, here as below. */
void container_add(struct json_file *src, const char *id, bool first_look);
/* Its directory is deleted: its log is read to its end, then it is freed. */
void container_gone(struct container *c);
void container_free(struct container *c);

/* Reads its metadata, which may be new: tags it by that, and follows the log that its driver writes. */
void container_identify(struct container *c);
/* Tags it as `who`, and follows it or stops to. */
void container_tag(struct container *c, const struct identity *who);

/* A second has passed (one that rests is looked at each eighth), or events were lost: does what they could not tell. A
 * container that is not collected is not watched, but a new name may make it one that is. Where there were not enough
 * watches, one container less, or a higher limit, makes room. */
void container_look(struct container *c);

/* As watch_open, for which files give their watches back where there are not enough; NULL: nor were there then, which is
 * logged once. */
struct watch *json_file_watch(struct json_file *src, const char *dir, uint32_t mask, watch_fn *fn, void *arg);

#endif
