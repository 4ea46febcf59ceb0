/* Links for the tests of source files: to what lies inside the directory that is followed, and outside. */
#ifndef SIDETAIL_TESTS_LINKS_FIXTURE_H
#define SIDETAIL_TESTS_LINKS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// cmocka.h wants the above
#include <cmocka.h>

#include "base/metrics.h"
#include "world.h"

static uint64_t refused; /* before the test */

/* Logs are below logs/, in a directory for each service; the directory elsewhere lies outside, and is
 * for nobody else to read. */
static inline void linked_world(struct world *w, enum follow_links follow)
{
    world_new_plain(w);
    free(w->cfg->files_include.items[0]);
    assert_true(asprintf(&w->cfg->files_include.items[0], "%s/logs/{service}/*.log", w->dir) > 0);
    w->cfg->files_follow_links = follow;
    mkdir(world_path(w, "logs"), 0755);
    mkdir(world_path(w, "logs/web"), 0755);
    mkdir(world_path(w, "logs/.kept"), 0755); /* inside, and no pattern matches it */
    mkdir(world_path(w, "elsewhere"), 0700);
    refused = metrics.refused_links;
}

static void link_to(struct world *w, const char *target, const char *name)
{
    assert_int_equal(symlink(target, world_path(w, name)), 0);
}

static void await_refused(struct world *w, unsigned count)
{
    for (int i = 0; i < 1000 && metrics.refused_links < refused + count; i++) {
        world_run(w, 20);
    }
    assert_int_equal(metrics.refused_links, refused + count);
}

#endif
