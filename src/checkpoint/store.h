/* The checkpoint's file on disk: its text is read, and replaced, as a whole. Paths are at most
 * STORE_PATH_MAX bytes. */
#ifndef SIDETAIL_CHECKPOINT_STORE_H
#define SIDETAIL_CHECKPOINT_STORE_H

#include <limits.h>

#include "base/buf.h"
#include "base/error.h"

#define STORE_PATH_MAX (PATH_MAX - 64) /* leaves room for what is put behind it */

/* Makes the last part of the directory's path where it is missing, and tries whether the directory takes new
 * files: better to hear that now than when positions are lost. A full disk is no fault. 0 or -1. */
int store_check(const char *path, struct error *err);

/* Appends the file's text to an empty buffer. 1: done; 0: there is no file; -1. */
int store_read(const char *path, struct buf *text, struct error *err);

/* Renames the file to a name that is free, PATH.corrupt-<unix time>, and puts that name into `aside`. 0 or
 * -1. */
int store_set_aside(const char *path, char aside[PATH_MAX], struct error *err);

/* Replaces the file: writes PATH.new, fsync, rename, fsync of the directory. 0, or -1: what is at PATH is one
 * of the two texts, whole. */
int store_write(const char *path, const struct buf *text, struct error *err);

#endif
