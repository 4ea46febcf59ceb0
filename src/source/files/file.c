#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/own_files.h"
#include "base/real_path.h"
#include "source/left_out.h"

#define GRACE (200 * NS_PER_MS) /* in which the last of a log's writers opens the new file */

static void free_real(struct file *file)
{
    if (file->real != file->path) {
        free(file->real);
    }
}

void file_free(struct file *file)
{
    tailer_unfollow(file->set->tailer, file->follow);
    status_note(&file->left_out, NULL);
    tags_unref(file->tags);
    free(file->of);
    free_real(file);
    free(file->path);
    free(file->alias);
    free(file->from);
    free(file->caps);
    free(file);
}

void file_note_from(struct file *file, const struct file_pos *from)
{
    if (from->file.head_len > 0) {
        if (!(file->from = malloc(sizeof(*from)))) {
            die_out_of_memory();
        }
        *file->from = *from;
    }
}

/* The service of a file whose path names none: as configured, else the container that the path names (by
 * tags.c), else the file's name without its ending. */
static void default_service(const struct file *file, struct captures *caps)
{
    const char *configured = file->set->cfg->service;
    if (!*configured && *caps->text[CAPTURE_CONTAINER]) {
        return;
    }
    char *service = caps->text[CAPTURE_SERVICE];
    const char *name = *configured ? configured : strrchr(file->path, '/') + 1;
    snprintf(service, sizeof(caps->text[0]), "%s", name);
    char *dot = strrchr(service, '.');
    if (!*configured && dot && dot != service) {
        *dot = '\0';
    }
}

static const char *captured(const struct captures *caps, enum capture which)
{
    return *caps->text[which] ? caps->text[which] : NULL;
}

static void file_follow(struct file *file)
{
    static const char *const formats[] = {
        [FILE_AUTO] = "", [FILE_JSON_FILE] = "json-file", [FILE_PLAIN] = "plain", [FILE_CRI] = "cri"};
    struct file_set *set = file->set;
    struct follow_options options = {
        .key = file->path,
        .path = file->real,
        .alias = file->alias,
        .decoder = decoder_find(formats[set->cfg->files_format]),
        .tags = file->tags,
        .from_end = file->first_look && set->cfg->start_at == START_END,
        .from = file->from,
        .grace_ns = GRACE,
    };
    char *log = rotation_log(file->path, &options.mark_at_open);
    options.mark_at_open = log && options.mark_at_open;
    free(log);
    if (file->origin && (file->origin->who == WHO_READ || file->origin->who == WHO_MOVED)) {
        identity_take_over(&set->identities, file->path, file->origin, file->tags);
    }
    file->follow = tailer_follow(set->tailer, &options);
    if (!file->follow) {
        die_out_of_memory();
    }
}

/* Tags it, and follows it where it is wanted; not where its name leads nowhere yet. */
void file_tag(struct file *file)
{
    struct file_set *set = file->set;
    if (!file->real) {
        return;
    }
    struct captures caps;
    captures_unpack(&caps, file->caps);
    if (!*caps.text[CAPTURE_SERVICE]) {
        default_service(file, &caps);
    }
    struct identity who = {
        .service = captured(&caps, CAPTURE_SERVICE),
        .name = captured(&caps, CAPTURE_CONTAINER),
        .namespace_ = captured(&caps, CAPTURE_NAMESPACE),
        .pod = captured(&caps, CAPTURE_POD),
    };
    struct tags *tags = tags_new(&who, set->cfg);
    if (!tags) {
        die_out_of_memory();
    }
    tags_unref(file->tags);
    file->tags = tags;
    struct tags_refusal refusal = tags_refused(tags, &who, set->cfg, NULL);
    if (refusal.by) {
        tailer_unfollow(set->tailer, file->follow);
        file->follow = NULL;
        file->told = file->silent = false;
        note_refused(&file->left_out, tags, file->path, refusal);
        return;
    }
    status_note(&file->left_out, NULL);
    if (file->follow) {
        follow_retag(file->follow, tags);
    } else {
        file_follow(file);
    }
}

/* -- where a name leads ------------------------------------------------------------------------ */

/* Is a link the name of a log, and where it leads one of that log's rotated files, the newest? */
static bool names_the_newest(const struct file *file, const struct target *at)
{
    bool inside;
    char *log = at->link ? rotation_log(at->real, &inside) : NULL, *name = real_name(file->path);
    if (!name) {
        die_out_of_memory();
    }
    bool newest = log && strcmp(log, name) == 0;
    free(log);
    free(name);
    return newest;
}

/* Does the link lead to a file that is followed by another name, or left out by that? */
static bool is_twin(const struct file *file, const struct target *at)
{
    struct file_set *set = file->set;
    if (!at->linked || (file->follow && strcmp(file->real, at->real) == 0) || names_the_newest(file, at)) {
        return false;
    }
    int follows = config_follows(set->cfg, at->real);
    if (follows < 0) {
        die_out_of_memory();
    }
    bool twin = follows || pattern_list_match(&set->exclude, at->real);
    for (const struct file *other = set->by_path; other && !twin; other = other->hh.next) {
        twin = other != file && other->follow && strcmp(other->real, at->real) == 0;
    }
    return twin;
}

static bool is_there(const struct file *file, const struct stat *st)
{
    return file->at_dev == st->st_dev && file->at_ino == st->st_ino;
}

struct target file_target(const struct file *file)
{
    struct target at = target_find(file->path, file->base, file->set->cfg->files_follow_links);
    if (at.verdict != TARGET_GOOD) {
        return at;
    }
    /* One that was our output stays that, though it was rotated since. */
    bool was_own = file->verdict == TARGET_OWN && is_there(file, &at.st);
    if (S_ISDIR(at.st.st_mode)) {
        at.verdict = TARGET_ODD;
    } else if (was_own || own_files_has(at.real, &at.st)) {
        at.verdict = TARGET_OWN;
    } else if (is_twin(file, &at)) {
        at.verdict = TARGET_TWIN;
    }
    return at;
}

/* Follows, or goes on, where the name leads. */
void file_go_to(struct file *file, char *real, char *alias)
{
    free_real(file);
    free(file->alias);
    file->real = real;
    file->alias = alias;
    if (strcmp(real, file->path) == 0) {
        free(real);
        file->real = file->path;
    }
    if (file->follow) {
        follow_move(file->follow, file->real, alias);
    } else if (!file->tags) {
        file_tag(file);
    }
}

void file_await(struct file *file)
{
    const char *name = strrchr(file->path, '/');
    char *directory = name == file->path ? strdup("/") : strndup(file->path, (size_t)(name - file->path)),
         *real = NULL;
    if (!directory) {
        die_out_of_memory();
    }
    struct target at = target_find(directory, file->base, file->set->cfg->files_follow_links);
    if (at.verdict == TARGET_GOOD) {
        if (asprintf(&real, "%s%s", strcmp(at.real, "/") ? at.real : "", name) < 0) {
            die_out_of_memory();
        }
        file->linked = at.linked;
        file->shared = at.shared;
        file_go_to(file, real, NULL);
    }
    target_free(&at);
    free(directory);
}

/* Takes up what was found: says what is new, and goes where it leads. Takes the target. */
void file_settle(struct file *file, struct target *at)
{
    if (at->verdict != file->verdict) {
        target_say(at, file->path, &file->left_out);
    }
    file->verdict = at->verdict;
    if (at->real) {
        file->at_dev = at->st.st_dev;
        file->at_ino = at->st.st_ino;
        file->shared = at->shared;
    }
    if (at->verdict == TARGET_GOOD && at->real) {
        file->linked = at->linked;
        if (!file->real || strcmp(file->real, at->real) != 0 || at->link != (file->alias != NULL)) {
            char *alias = at->link ? real_name(file->path) : NULL;
            if (at->link && !alias) {
                die_out_of_memory();
            }
            file_go_to(file, at->real, alias);
            at->real = NULL;
        }
    }
    target_free(at);
}

void file_find_again(struct file *file)
{
    struct target at = file_target(file);
    file_settle(file, &at);
}

/* Does it lead where it led, as far as one look can tell? */
bool file_is_settled(const struct file *file)
{
    struct stat st;
    if (file->shared) {
        return false;
    }
    return stat(file->path, &st) == 0 ? file->verdict > TARGET_DANGLING && is_there(file, &st)
                                      : file->verdict == TARGET_DANGLING;
}

bool file_is_in_place(const struct file *file)
{
    struct stat st;
    return !file->linked && file->verdict == TARGET_GOOD && lstat(file->path, &st) == 0 &&
           S_ISREG(st.st_mode) && is_there(file, &st);
}

bool file_is_told(const struct file *file)
{
    const struct file_set *set = file->set;
    return !file->linked && !file->finishing &&
           follow_is_told(file->follow, set->watch_of(set->arg, file->path));
}

bool file_rests(struct file *file)
{
    file->silent = file->silent || (file->told && follow_rests(file->follow));
    return file->silent;
}

/* Has all that was followed lost its names? A link that is gone is not followed any more, wherever it led. */
bool file_is_gone(const struct file *file, uint64_t *size)
{
    if (follow_deleted(file->follow, size)) {
        return true;
    }
    *size = 0;
    return file->linked && (file->verdict == TARGET_GONE || file->verdict == TARGET_DANGLING);
}
