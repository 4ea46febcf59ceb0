/* Outcomes as people read them. */
#ifndef SIDETAIL_TRY_SHOW_H
#define SIDETAIL_TRY_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"

/* Writes an outcome (trial.h) in a few lines. */
void show_outcome(FILE *out, bool color, const json_t *outcome, struct slice encoded);

/* Text from outside without what a terminal would obey. */
void show_text(FILE *out, struct slice text);

/* The numbers of an outcome's lines, such as `3-5,7`; `-` where there are none. */
void show_lines(FILE *out, const json_t *outcome);

#endif
