#include "source/unreadable.h"

#include "base/log.h"
#include "discover/log_driver.h"

void say_keeps_nothing(const char *container, const char *driver)
{
    log_warn("nobody can read this container's log, since its driver keeps nothing: it is not collected",
             KV("container", container), KV("driver", driver),
             KV("hint", "run it with the log driver " LOG_DRIVERS_READABLE));
}
