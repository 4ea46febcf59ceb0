/* What went wrong, in words for a user: what happened, where, and what to do. */
#ifndef SIDETAIL_BASE_ERROR_H
#define SIDETAIL_BASE_ERROR_H

struct error {
    char text[512]; /* NUL-terminated; cut when longer; a control character is '?' */
    int exit_code;  /* what a start that fails for it ends with, an enum exit_code; 0: EXIT_FAULT */
};

/* Sets the text (err may be NULL) and returns -1, so that a function can `return error_set(err, …)`. */
int error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the exit code of an error that is set (err may be NULL) and returns -1. */
int error_exit(struct error *err, int exit_code);

/* Text from outside as it may stand in a message: in quotes, control characters as '?', cut after some 60
 * bytes. */
#define ERROR_QUOTE_MAX 72
const char *error_quote(const char *text, char out[ERROR_QUOTE_MAX]); /* returns out */

/* What sidetail exits with. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAULT = 1,     /* could not go on: the message says why */
    EXIT_CONFIG = 2,    /* wrong arguments or configuration */
    EXIT_LOCKED = 3,    /* another process has the checkpoint or the output */
    EXIT_FENCED = 4,    /* another process with the same identity took over (Kafka) */
    EXIT_UNREACHED = 5, /* no running collector answers */
    EXIT_ANEW = 256,    /* no process exits with it: one that starts anew is to take its place */
};

#endif
