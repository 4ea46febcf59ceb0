/* Where the output lies: file.path, taken apart. */
#ifndef SIDETAIL_SINK_FILE_LOCATION_H
#define SIDETAIL_SINK_FILE_LOCATION_H

#include "base/error.h"

struct location {
    char *path;       /* as the configuration has it */
    char *dir, *name; /* its two parts */
    int dirfd;        /* of dir; -1: not open */
};

/* Takes the path apart (it is copied) and opens the directory. 0 or -1; location_close either way. */
int location_open(struct location *at, const char *path, struct error *err);
void location_close(struct location *at);

#endif
