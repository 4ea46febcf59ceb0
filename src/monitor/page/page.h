/* The page at /: page.html with page.css and page.js in it, as one file; embed.sh makes it, at each build. */
#ifndef SIDETAIL_MONITOR_PAGE_H
#define SIDETAIL_MONITOR_PAGE_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_len;
/* Its Content-Security-Policy: its own style and script, by their hashes, questions to its own server, and nothing else. */
extern const char page_policy[];

#endif
