#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int terminal_columns(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool terminal_has_colours(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fd);
}

void output_standard(struct output *o) { *o = (struct output){.file = stdout, .is_terminal = isatty(STDOUT_FILENO)}; }

/* A write that failed because nobody reads any more is no failure worth words. */
static bool note_failure(struct output *o, int errnum)
{
    if (o->failed_errno == 0) {
        o->failed_errno = errnum ? errnum : EIO;
        if (o->failed_errno != EPIPE)
            complain("cannot write the output: %s", strerror(o->failed_errno));
    }
    return false;
}

bool output_write(void *output, const void *bytes, size_t len)
{
    struct output *o = output;
    if (o->failed_errno)
        return false;
    errno = 0;
    if (fwrite(bytes, 1, len, o->file) != len)
        return note_failure(o, errno);
    o->written_bytes += len;
    return true;
}

bool output_flush(struct output *o)
{
    errno = 0;
    if (o->failed_errno)
        return false;
    return fflush(o->file) == 0 || note_failure(o, errno);
}

int output_close(struct output *o)
{
    output_flush(o);
    if (o->file != stdout) {
        errno = 0;
        int closed = o->is_pipe ? pclose(o->file) : fclose(o->file);
        if (!o->failed_errno && !o->is_pipe && closed != 0)
            note_failure(o, errno);
    }
    int failed = o->failed_errno;
    output_standard(o);
    return failed;
}

bool output_open(struct output *o, const char *target)
{
    bool standard = !*target || strcmp(target, "stdout") == 0, pipe = *target == '|';
    FILE *file = NULL;
    if (!standard) {
        file = pipe ? popen(target + 1, "w") : fopen(target, "we");
        if (!file) {
            complain("cannot open \"%s\": %s", target, strerror(errno));
            return false;
        }
    }
    int failed = output_close(o);
    if (file)
        *o = (struct output){.file = file, .is_pipe = pipe, .is_terminal = isatty(fileno(file))};
    return failed == 0 || failed == EPIPE;
}
