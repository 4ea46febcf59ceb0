/* Paths without links. */
#ifndef SIDETAIL_BASE_REAL_PATH_H
#define SIDETAIL_BASE_REAL_PATH_H

/* The path with its links resolved, where something is there; else as it is. NULL: memory. To be freed. */
char *real_path(const char *path);

/* Likewise, but for its last name, which may be a link, or not be there. */
char *real_name(const char *path);

#endif
