/* Several expressions of one setting. */
#ifndef SIDETAIL_SHAPE_REGEXPS_H
#define SIDETAIL_SHAPE_REGEXPS_H

#include "base/error.h"
#include "base/regexp.h"
#include "config/config.h"

struct regexps {
    struct regexp **items;
    char **texts; /* what they were made of */
    size_t count;
};

/* Compiles all of them; `what` names the setting in the error. 0 or -1; regexps_free is owed in either
 * case. */
int regexps_new(struct regexps *list, const struct string_list *texts, const char *what, struct error *err);
/* In those before `end` ^ and $ match at each line of a text, too. 0, or -1 (memory). */
int regexps_see_lines(struct regexps *list, size_t end);
/* Those from `first` on pay from the budget (base/regexp.h). */
void regexps_pay_from(struct regexps *list, size_t first, struct regexp_budget *budget);
void regexps_free(struct regexps *list);

#endif
