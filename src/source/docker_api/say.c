#include "say.h"

#include "base/log.h"
#include "base/metrics.h"

void say_rotated_away(const char *container)
{
    metrics.gaps++;
    log_warn("lines of a container were rotated away before they could be read", KV("container", container),
             KV("hint", "larger or more log files: max-size, max-file"));
}

void say_clock_back(const char *container)
{
    metrics.gaps++;
    log_warn("the clock was set back: lines of a container written about then may be missing, or twice",
             KV("container", container));
}

void say_skipped(const char *container)
{
    log_debug("the Engine's stream skipped lines, opening it again", KV("container", container));
}

void say_hangs(const char *container)
{
    log_warn("the Engine's stream of a container's log hangs, opening it again", KV("container", container));
}

void say_broke(const char *container, const char *error)
{
    log_warn("the stream of a container's log broke, opening it again", KV("container", container),
             KV("error", error));
}
