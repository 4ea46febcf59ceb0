/* Docker's containers directory as a source of `sidetail tail`: with --files, and where no Engine answers. */
#ifndef SIDETAIL_TAIL_FILES_FILES_H
#define SIDETAIL_TAIL_FILES_FILES_H

#include "tail/source.h"

extern const struct tail_source tail_files;

#endif
