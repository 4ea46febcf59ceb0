#include "base/memory.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"

void die_out_of_memory(void)
{
    log_error("out of memory: ending; what was not delivered is read again at the next start");
    exit(EXIT_FAULT);
}
