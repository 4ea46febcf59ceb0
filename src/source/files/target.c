#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/plain_file.h"
#include "reach.h"

/* What of the path stands behind the directory, with its slash; NULL when it is not in it. */
static const char *behind(const char *dir, const char *path)
{
    size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
    bool inside = strncmp(dir, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
    return inside ? path + len : NULL;
}

/* As realpath, which needs memory. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (!real && errno == ENOMEM) {
        die_out_of_memory();
    }
    return real;
}

static enum verdict judge_links(const char *path, const char *base, const char *real_base, const char *real)
{
    static const enum verdict verdicts[] = {
        [REACH_GOOD] = TARGET_GOOD,
        [REACH_MOUNT] = TARGET_OUTSIDE,
        [REACH_PRIVATE] = TARGET_PRIVATE,
        [REACH_TURNED] = TARGET_DANGLING,
    };
    return behind(base, path) ? verdicts[reach_judge(path, base, real_base, real)] : TARGET_OUTSIDE;
}

/* The base of the name that was looked at last, without links. */
static struct {
    const char *base;
    char *real;
    bool keep; /* a look goes on */
} kept;

static const char *real_base_of(const char *base, bool anew)
{
    if (anew || !kept.keep || !kept.real || kept.base != base) {
        free(kept.real);
        kept.base = base;
        kept.real = resolve(base);
    }
    return kept.real;
}

void target_begin_look(void)
{
    kept.keep = true;
}

void target_end_look(void)
{
    kept.keep = false;
    free(kept.real);
    kept.real = NULL;
}

/* Of something that is there. */
static enum verdict judge(const struct target *p, const char *path, const char *base, const char *real_base,
                          enum follow_links follow)
{
    if (p->linked && follow == LINKS_NONE) {
        return TARGET_LINKED;
    }
    if (plain_file_is_kernels(p->real)) {
        return TARGET_KERNELS;
    }
    if (!S_ISREG(p->st.st_mode) && !S_ISDIR(p->st.st_mode)) {
        return TARGET_ODD;
    }
    return p->linked && follow == LINKS_INSIDE ? judge_links(path, base, real_base, p->real) : TARGET_GOOD;
}

struct target target_find(const char *path, const char *base, enum follow_links follow)
{
    struct target p = {.verdict = TARGET_GONE};
    if (lstat(path, &p.st) < 0) {
        return p;
    }
    p.link = p.linked = S_ISLNK(p.st.st_mode);
    p.verdict = TARGET_DANGLING;
    const char *real_base = real_base_of(base, false);
    p.real = resolve(path);
    if (p.real && real_base && !behind(real_base, p.real)) {
        real_base = real_base_of(base, true);
    }
    if (!real_base || !p.real || lstat(p.real, &p.st) < 0) {
        target_free(&p);
    } else {
        const char *rest = behind(real_base, p.real), *named = behind(base, path);
        p.linked = !rest || !named || strcmp(rest, named) != 0;
        p.shared = p.linked && !rest && follow == LINKS_INSIDE;
        p.verdict = judge(&p, path, base, real_base, follow);
    }
    return p;
}

bool target_allows(const char *path, const char *base, const char *other)
{
    char *real_base = resolve(base);
    bool allowed = real_base && judge_links(path, base, real_base, other) == TARGET_GOOD;
    free(real_base);
    return allowed;
}

void target_free(struct target *p)
{
    free(p->real);
    p->real = NULL;
}

#define ALL "where nobody else may write to that directory, files.follow_links: all follows it"

void target_say(const struct target *p, const char *path, struct status_note **note)
{
    static const struct {
        const char *what, *hint;
    } texts[] = {
        [TARGET_OWN] = {"not following the collector's own output", ""},
        [TARGET_OUTSIDE] = {"not following a link: it leads to another mount", ALL},
        [TARGET_PRIVATE] = {"not following a link: whoever made it need not be allowed to read what is there",
                            ALL},
        [TARGET_LINKED] = {"not following a link: files.follow_links is none", ""},
        [TARGET_KERNELS] = {"not following what the kernel makes up, such as /proc and /sys", ""},
        [TARGET_ODD] = {"not following a link: it leads to no regular file", ""},
    };
    if (p->verdict < TARGET_OWN || (p->verdict == TARGET_ODD && !p->linked)) {
        status_note(note, NULL);
        return;
    }
    bool own = p->verdict == TARGET_OWN, chosen = own || p->verdict == TARGET_LINKED;
    struct error detail;
    error_set(&detail, "%s (%s)", texts[p->verdict].what, p->real);
    status_note(note,
                &(struct status_left){
                    .file = path, .reason = own ? "own" : "link", .detail = detail.text, .problem = !chosen});
    metrics.refused_links += p->verdict > TARGET_OWN;
    log_warn(texts[p->verdict].what, KV("path", path), KV("target", p->real),
             KV("hint", texts[p->verdict].hint));
}
