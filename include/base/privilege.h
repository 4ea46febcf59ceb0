/* Capabilities of Linux, as far as reading other users' files needs them: capabilities(7). */
#ifndef SIDETAIL_BASE_PRIVILEGE_H
#define SIDETAIL_BASE_PRIVILEGE_H

#include <stdbool.h>

/* Takes CAP_DAC_READ_SEARCH into use, for this thread and those that it starts, where the process may have
 * it: a file capability that is permitted but not effective lets the program start where the container's
 * bounding set lacks it (an effective one makes execve fail with EPERM there), and puts it into use only for
 * sources that read files. Does the thread have it in use now? */
bool privilege_read_all(void);

#endif
