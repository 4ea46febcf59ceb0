#include "discover/log_driver.h"

#include <string.h>

bool log_driver_has_files(const char *driver)
{
    return !driver || strcmp(driver, "local") == 0 || strcmp(driver, "json-file") == 0;
}

bool log_driver_keeps_nothing(const char *driver)
{
    return strcmp(driver, "none") == 0;
}
