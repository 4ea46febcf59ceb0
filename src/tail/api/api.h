/* The Engine's API as a source of `sidetail tail`: which containers there are, and what happens to them. */
#ifndef SIDETAIL_TAIL_API_API_H
#define SIDETAIL_TAIL_API_API_H

#include "tail/source.h"

extern const struct tail_source tail_api;

#endif
