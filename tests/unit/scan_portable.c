#define SCAN_PORTABLE
#include "scan_answers.h"

struct scan_answers scan_ask_portable(const char *p, char c, const char *pattern)
{
    return scan_ask(p, c, pattern);
}
