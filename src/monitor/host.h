/* Under which name a request was sent. A web page of anybody can have its own name resolve to an address of this machine (DNS
 * rebinding); its scripts may then read what is answered under that name, but not under others. */
#ifndef SIDETAIL_MONITOR_HOST_H
#define SIDETAIL_MONITOR_HOST_H

#include <event2/http.h>
#include <stdbool.h>

/* What our own client sends. Browsers let no script set a header whose name begins with Sec-. */
#define HOST_NO_BROWSER "Sec-Sidetail"

/* Can no web page of others have sent it? `host` is that of metrics.listen. True for an address, `localhost` and `host` as the
 * name, and for what no browser sent, as far as that can be seen. */
bool host_is_own(struct evhttp_request *req, const char *host);
/* Is it an address of loopback, or localhost? */
bool host_is_loopback(const char *host);

#endif
