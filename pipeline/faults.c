#include "pipeline/faults.h"

#include <stdlib.h>
#include <string.h>

static bool named(const char *list, const char *sink, const char *kind)
{
    size_t s = strlen(sink), k = strlen(kind);

    for (const char *p = list; p != NULL && *p != '\0';
         p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, sink, s) == 0 && p[s] == ':' && strncmp(p + s + 1, kind, k) == 0 &&
            (p[s + 1 + k] == '\0' || p[s + 1 + k] == ','))
            return true;
    return false;
}

struct faults faults_of(const char *sink)
{
    const char *list = getenv("SEAM_FAULT");
    struct faults f = {0};

    if (list == NULL || *list == '\0') return f;
    f.drop_deletes = named(list, sink, "drop-deletes");
    f.drop_updates = named(list, sink, "drop-updates");
    f.duplicate = named(list, sink, "duplicate");
    f.withhold = named(list, sink, "withhold");
    f.stall = named(list, sink, "stall");
    f.poison = named(list, sink, "poison");
    f.any = f.drop_deletes || f.drop_updates || f.duplicate || f.withhold || f.stall || f.poison;
    return f;
}
