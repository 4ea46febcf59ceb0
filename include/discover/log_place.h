/* Where a container's log lies: under its name, or where that leads. Only root writes beside it, so a log that was moved
 * to another disk, with a link in its place, is followed there. */
#ifndef SIDETAIL_DISCOVER_LOG_PLACE_H
#define SIDETAIL_DISCOVER_LOG_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

enum log_place_fault {
    LOG_PLACE_GOOD, /* it is a regular file, or not there yet */
    LOG_PLACE_LOST, /* its name is a link, and where that leads there is nothing, or it cannot be looked at */
    LOG_PLACE_ODD,  /* it is something else: a device, a fifo, a directory, what the kernel makes up */
};

/* {0} knows nothing yet. */
struct log_place {
    /* Of the live file, without links, where the fault is none; owned, or the name itself. */
    char *path;
    /* The name, where that is a link: rotated files may lie beside it, too; owned. NULL: it is none. */
    char *alias;
    enum log_place_fault fault;
    char *target; /* where a faulty name leads; owned. NULL: it is not faulty */
    dev_t dev;    /* what is there; 0: nothing */
    ino_t ino;
    bool is_name; /* the path is the name */
};

/* Looks where the log called `name` lies now, which outlives that. True: elsewhere than before; then path and alias
 * are new. Where it is faulty, they stay, or are the name if there was none before. Memory that runs out ends the
 * process. */
bool log_place_find(struct log_place *place, const char *name);
/* The directory of the file, to be freed. */
char *log_place_directory(const struct log_place *place);
void log_place_free(struct log_place *place);

#endif
