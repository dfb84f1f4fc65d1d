/* base/injection.c: places where a test can hold the program (compiled in with VARVE_INJECTION_POINTS only).
 *
 * The folder $VARVE_INJECTION_DIR is the switchboard: while it has a file NAME.hold, whoever comes to the point NAME leaves NAME.reached there and
 * waits until the hold is gone. */
#include "base/base.h"

#ifdef VARVE_INJECTION_POINTS

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 1000000, NAME_MAX_BYTES = 1024 };

void injection_point(struct ctx *ctx, const char *name)
{
    char hold[NAME_MAX_BYTES], reached[NAME_MAX_BYTES];
    const char *folder = getenv("VARVE_INJECTION_DIR");
    if (!folder)
        return;
    snprintf(hold, sizeof hold, "%s/%s.hold", folder, name);
    snprintf(reached, sizeof reached, "%s/%s.reached", folder, name);
    if (access(hold, F_OK))
        return;
    FILE *mark = fopen(reached, "w");
    if (mark)
        fclose(mark);
    while (!access(hold, F_OK) && ctx_check(ctx, NULL) == STATUS_OK)
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

#endif
