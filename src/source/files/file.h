/* One file of a set: its tags, its follow, and where its name leads. */
#ifndef SIDETAIL_SOURCE_FILES_FILE_H
#define SIDETAIL_SOURCE_FILES_FILE_H

#include "set.h"

/* Tags it, and follows it where it is wanted; not where its name leads nowhere yet. */
void file_tag(struct file *file);
/* It was read up to there as another log's, if that is a position. */
void file_note_from(struct file *file, const struct file_pos *from);
/* Stops following it. It is in no table any more. */
void file_free(struct file *file);

/* Where its name leads now; to be freed, or settled. */
struct target file_target(const struct file *file);
/* Takes up what was found: says what is new, and goes where it leads. Takes the target. */
void file_settle(struct file *file, struct target *at);
/* Both. */
void file_find_again(struct file *file);
/* Follows, or goes on, at `real`, by the link `alias` or NULL. Takes both. */
void file_go_to(struct file *file, char *real, char *alias);
/* Its name is not there: follows what will be, and what the log has left behind, where its directory may be followed. */
void file_await(struct file *file);
/* Does its name lead where it led, as far as one look can tell? */
bool file_is_settled(const struct file *file);
/* Is its name that of the regular file which it was, and no link led there? */
bool file_is_in_place(const struct file *file);
/* As of the look just now, would all that may happen to it be told? It is followed. */
bool file_is_told(const struct file *file);
/* Would events have told, if there were a reason to look at it? */
bool file_rests(struct file *file);
/* Has all that was followed lost its names? A link that is gone is not followed any more, wherever it led. *size as of
 * follow_deleted. */
bool file_is_gone(const struct file *file, uint64_t *size);

#endif
