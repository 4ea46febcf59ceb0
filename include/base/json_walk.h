/* Walks through a JSON text that was checked (json_check.h): every string and bracket is closed. */
#ifndef SIDETAIL_BASE_JSON_WALK_H
#define SIDETAIL_BASE_JSON_WALK_H

/* Each returns the place behind what it skips, which begins at p. */
const char *json_skip_space(const char *p);
const char *json_skip_string(const char *p); /* its quotes too */
const char *json_skip_value(const char *p);

#endif
