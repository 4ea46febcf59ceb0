/* The checkpoint's file on disk: its text is read, and replaced, as a whole. Paths are at most
 * STORE_PATH_MAX bytes. */
#ifndef SIDETAIL_CHECKPOINT_STORE_H
#define SIDETAIL_CHECKPOINT_STORE_H

#include <limits.h>

#include "base/error.h"
#include "base/slice.h"

#define STORE_PATH_MAX (PATH_MAX - 64) /* leaves room for what is put behind it */

/* Makes the last part of the directory's path where it is missing, for good: fsync. 0 or -1. */
int store_make_directory(const char *path, struct error *err);
/* At a start: removes the PATH.new.… of processes that were killed, and tries whether the directory takes new files:
 * better to hear that now than when positions are lost. A full disk is no fault. 0 or -1. */
int store_check(const char *path, struct error *err);

/* Maps the file's text, which is replaced only as a whole. 1: done, store_unmap is owed; 0: there is no file; -1. */
int store_map(const char *path, struct slice *text, struct error *err);
void store_unmap(struct slice text);
/* All before `at` is read, and takes no memory any more. It can be read again all the same. */
void store_passed(struct slice text, const char *at);

/* Renames the file to a name that is free, PATH.corrupt-<unix time>, and puts that name into `aside`. 0 or
 * -1. */
int store_set_aside(const char *path, char aside[PATH_MAX], struct error *err);

/* Replaces the file: writes PATH.new.XXXXXX, of a name that no other process has, by `write` (0 or -1 (errno)), fsync,
 * rename, fsync of the directory. 0, or -1: what is at PATH is one of the two texts, whole. */
int store_write(const char *path, int (*write)(void *arg, int fd), void *arg, struct error *err);

#endif
