/* What a URL may hold before its host: https://USER:PASSWORD@host. */
#ifndef SIDETAIL_BASE_USERINFO_H
#define SIDETAIL_BASE_USERINFO_H

/* The text with `***` in place of the password of each URL in it. To be freed; NULL: memory. */
char *userinfo_hide(const char *text);

#endif
