/* Could whoever made a link have read what it leads to? A link is followed then: it shows nobody what they could not see. */
#ifndef SIDETAIL_SOURCE_FILES_REACH_H
#define SIDETAIL_SOURCE_FILES_REACH_H

#include <stdbool.h>

enum reach {
    REACH_GOOD,
    REACH_MOUNT,   /* it leads to another mount, which need not be theirs, or the mount cannot be told */
    REACH_PRIVATE, /* it leads to what they may not read */
    REACH_TURNED,  /* the name leads elsewhere by now, or nowhere */
};

/* Judges the links on the way from `base` to `path`, which begins with it, as what leads to `real`, a regular file or a
 * directory. Each of them must pass:
 *   - It stands in the mount of `real`. In a container a volume is a mount of its own, so what lies outside it is the
 *     collector's. Or `real` is below the base and the link in the base's own mount: that is its owner's to lay out.
 *   - Everybody may read `real`. Or that is below the base, and the link is root's or made by the owner of `real`.
 * `path` may lead to another file of the log than `real`, or to none; where no link is on the way, to the same directory.
 * `real_base` and `real` are without links. */
enum reach reach_judge(const char *path, const char *base, const char *real_base, const char *real);

#endif
