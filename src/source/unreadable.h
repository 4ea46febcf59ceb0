/* What the sources say of a container that they cannot collect. */
#ifndef SIDETAIL_SOURCE_UNREADABLE_H
#define SIDETAIL_SOURCE_UNREADABLE_H

/* Nobody can read its log, since its driver keeps nothing. */
void say_keeps_nothing(const char *container, const char *driver);

#endif
