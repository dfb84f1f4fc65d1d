/* cli/script.c: a text, run statement by statement as it grows. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

/* Moves `at` on, counting bytes, lines and letters. */
static void advance(struct script *s, size_t to)
{
    for (; s->at < to; s->at++, s->offset++) {
        if (s->text.ptr[s->at] == '\n') {
            s->line++;
            s->column = 1;
        } else if (((unsigned char)s->text.ptr[s->at] & 0xC0) != 0x80) {
            s->column++;
        }
    }
}

static void skip_blanks(struct script *s)
{
    size_t to = s->at;
    while (to < s->text.len && is_blank(s->text.ptr[to]))
        to++;
    advance(s, to);
}

/* What was run is dropped, so that a long session does not pile up. */
static void forget(struct script *s)
{
    memmove(s->text.ptr, s->text.ptr + s->at, s->text.len - s->at + 1);
    s->text.len -= s->at;
    s->at = 0;
}

static bool shell_bails(const struct shell *sh, const struct script *s) { return sh->settings.bail < 0 ? s->bail : sh->settings.bail > 0; }

static bool must_stop(const struct shell *sh, const struct script *s, bool ok)
{
    return sh->leave || sh->lost_errno || (sh->interrupted && !sh->interactive) || (!ok && shell_bails(sh, s));
}

/* The command on this line; false when the line is not complete yet. */
static bool run_command(struct shell *sh, struct script *s, bool *ok)
{
    const char *start = s->text.ptr + s->at, *newline = memchr(start, '\n', s->text.len - s->at);
    if (!newline && !s->ended)
        return false;
    size_t len = newline ? (size_t)(newline - start) : s->text.len - s->at;
    char *line = must_alloc(len + 1);
    memcpy(line, start, len);
    *ok = command_run(sh, line, len);
    advance(s, s->at + len + (newline != NULL));
    free(line);
    return true;
}

/* The next statement; false when it is not complete yet. */
static bool run_statement(struct shell *sh, struct script *s, bool *ok, bool *found)
{
    size_t at = s->at, start = 0, len = 0;
    bool complete = false;
    *found = varve_next_statement(s->text.ptr, s->text.len, &at, &start, &len, &complete);
    if (*found && !complete && !s->ended)
        return false;
    if (!*found) {
        /* Only comments; a long one may still be open. */
        if (s->ended || !memmem(s->text.ptr + s->at, s->text.len - s->at, "/*", 2))
            advance(s, s->text.len);
        return true;
    }
    advance(s, start);
    struct origin origin = {s->name, s->offset, s->line, s->column};
    *ok = shell_statement(sh, s->text.ptr + start, len, &origin);
    advance(s, at);
    return true;
}

static enum script_state run_all(struct shell *sh, struct script *s)
{
    if (s->line == 0)
        s->line = s->column = 1;
    while (s->text.len > s->at) {
        bool ok = true, found = true;
        skip_blanks(s);
        if (s->at == s->text.len)
            break;
        char first = s->text.ptr[s->at];
        bool command = first == '.' || first == '\\';
        if (command ? !run_command(sh, s, &ok) : !run_statement(sh, s, &ok, &found))
            break;
        if (must_stop(sh, s, ok))
            return SCRIPT_STOPPED;
        if (!found)
            break;
    }
    return SCRIPT_WAITS;
}

enum script_state script_run(struct shell *sh, struct script *s)
{
    bool outer_bail = sh->script_bail;
    sh->script_bail = s->bail;
    enum script_state state = run_all(sh, s);
    sh->script_bail = outer_bail;
    if (s->text.ptr)
        forget(s);
    return state;
}

bool script_pending(const struct script *s)
{
    for (size_t i = s->at; i < s->text.len; i++)
        if (!is_blank(s->text.ptr[i]))
            return true;
    return false;
}

void script_release(struct script *s) { text_release(&s->text); }
