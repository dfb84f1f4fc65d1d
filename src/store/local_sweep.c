/* store/local_sweep.c: half-written objects that a killed process left behind. */
#include "store/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Nobody writes at one object for a day.  A directory is not looked at to its end, so that a long log does not hold up the writer. */
enum { STALE_S = 24 * 60 * 60, LOOKED_AT_MAX = 4096, REMOVED_MAX = 256 };

static bool is_stale(int dir_fd, const char *name, time_t now)
{
    struct stat st;
    if (strncmp(name, STORE_TEMP_PREFIX, sizeof STORE_TEMP_PREFIX - 1) != 0)
        return false;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_mtime < now - STALE_S;
}

static void tell(struct ctx *ctx, const char *directory, int removed, int failed_errno)
{
    char count[16], reason[128] = "";
    snprintf(count, sizeof count, "%d", removed);
    if (removed)
        log_event(ctx, LOG_INFO, "stale_files_removed", "directory", directory, "count", count, NULL);
    if (failed_errno)
        log_event(ctx, LOG_WARN, "stale_files_kept", "directory", directory, "reason", strerror_r(failed_errno, reason, sizeof reason), NULL);
}

void local_sweep(struct ctx *ctx, int dir_fd, const char *directory)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), removed = 0, failed_errno = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        tell(ctx, directory, 0, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    const time_t now = time(NULL);
    const struct dirent *entry;
    for (int seen = 0; seen < LOOKED_AT_MAX && removed < REMOVED_MAX && (entry = readdir(dir)); seen++) {
        if (!is_stale(dir_fd, entry->d_name, now))
            continue;
        if (unlinkat(dir_fd, entry->d_name, 0) == 0)
            removed++;
        else if (errno != ENOENT)
            failed_errno = errno;
    }
    closedir(dir);
    tell(ctx, directory, removed, failed_errno);
}
