/* The terminal of `sidetail top`: a screen of its own, on which keys come at once and are not shown. Whatever way the program
 * goes, it leaves the terminal as it was. */
#ifndef SIDETAIL_REPORT_TTY_H
#define SIDETAIL_REPORT_TTY_H

#include "base/error.h"
#include "base/slice.h"

/* Is there one to read from and write to, which can move its cursor? 0; -1: err says what is missing. */
int tty_check(struct error *err);

/* Takes the terminal, and gives it back; both may be done again and again. 0, or -1 (errno). */
int tty_enter(void);
void tty_leave(void);

/* Columns and lines; 80 by 24 where it does not tell. */
void tty_size(unsigned *width, unsigned *height);
/* Writes; what a terminal that is stopped, or slow, does not take is left out. 0, or -1 (errno). */
int tty_write(struct slice text);

enum key {
    KEY_NONE, /* no further one */
    KEY_OTHER,
    KEY_UP,
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_TEXT = 32, /* from here on the character itself, of ASCII */
};

/* Takes the next key from what was typed, and moves *p behind it. */
int tty_key(const char **p, const char *end);

#endif
