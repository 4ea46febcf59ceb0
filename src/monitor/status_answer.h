/* The answer to /status: JSON, described in deploy/README.md. */
#ifndef SIDETAIL_MONITOR_STATUS_ANSWER_H
#define SIDETAIL_MONITOR_STATUS_ANSWER_H

#include <event2/http.h>
#include <stdbool.h>

#define STATUS_VERSION 1

/* Answers with 200, from the loop: a piece of it each time that the client has taken the one before. `fault`: what keeps the
 * collector from its work; empty: nothing does. */
void status_answer(struct evhttp_request *req, const char *fault);
/* May one more be answered now? Not while too many take their time. */
bool status_answer_room(void);

#endif
