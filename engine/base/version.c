/* version - what was compiled in. */
#include "engine/base/version.h"

const char *seam_version(void)
{
    return SEAM_VERSION;
}

int seam_version_number(void)
{
    return SEAM_VERSION_NUMBER;
}
