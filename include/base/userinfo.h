/* What a URL may hold before its host: https://USER:PASSWORD@host. */
#ifndef SIDETAIL_BASE_USERINFO_H
#define SIDETAIL_BASE_USERINFO_H

/* The text with `***` in place of the password of each URL in it, which a comma separates from the next one; or of the
 * user, where there is no password. To be freed; NULL: memory. */
char *userinfo_hide(const char *text);

/* The same of a text that is an address as a whole, or was meant to be one: `***` stands for all between the scheme, if
 * there is one, and the last `@`, and for all behind a `?` or `#`. */
char *userinfo_hide_address(const char *address);

#endif
