/* cli/complaint.c: what goes wrong, on stderr:
 *
 *   error: table "bars" does not exist
 *     at 1:15
 *       SELECT * FROM bars
 *                     ^
 *     hint: …
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *colour(const char *code) { return terminal_has_colours(STDERR_FILENO) ? code : ""; }

void complain(const char *fmt, ...)
{
    fflush(stdout);
    fprintf(stderr, "%serror:%s ", colour("\033[1;31m"), colour("\033[0m"));
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

void complain_hint(const char *fmt, ...)
{
    fprintf(stderr, "  %shint:%s ", colour("\033[36m"), colour("\033[0m"));
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* A part of several lines keeps its indent. */
static void print_part(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    fprintf(stderr, "  %s%s:%s ", colour("\033[36m"), label, colour("\033[0m"));
    for (; *text; text++) {
        fputc(*text, stderr);
        if (*text == '\n' && text[1])
            fprintf(stderr, "  %*s  ", (int)strlen(label), "");
    }
    fputc('\n', stderr);
}

enum { SHOWN_BYTES = 100 };

static bool continues(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* The part of the statement's line around the position, and a caret under it. */
static void print_line(const char *sql, size_t len, size_t position)
{
    size_t start = position, end = position;
    while (start > 0 && sql[start - 1] != '\n')
        start--;
    while (end < len && sql[end] != '\n')
        end++;
    size_t from = position - start > SHOWN_BYTES / 2 ? position - SHOWN_BYTES / 2 : start;
    size_t to = end - from > SHOWN_BYTES ? from + SHOWN_BYTES : end;
    while (from > start && continues(sql[from]))
        from--;
    while (to < end && continues(sql[to]))
        to++;
    const char *before = from > start ? "…" : "", *after = to < end ? "…" : "";
    fprintf(stderr, "    %s", before);
    for (size_t i = from; i < to; i++)
        fputc((unsigned char)sql[i] < 0x20 || sql[i] == 0x7F ? ' ' : sql[i], stderr);
    fprintf(stderr, "%s\n    %*s%s^%s\n", after, (int)(text_columns(sql + from, position - from) + (from > start)), "", colour("\033[1;31m"),
            colour("\033[0m"));
}

/* A place in the statement as one in the script that it stands in. */
static void place_in_script(varve_error *error, const struct origin *origin)
{
    if (error->position < 0 || !origin)
        return;
    error->position += origin->offset;
    if (error->line == 1)
        error->column += origin->column - 1;
    error->line += origin->line - 1;
}

static char *json_of(const varve_error *error, const struct origin *origin)
{
    varve_error placed = *error;
    place_in_script(&placed, origin);
    return varve_error_json(&placed, NULL);
}

static void print_place(const varve_error *error, const struct origin *origin, const char *sql, size_t len)
{
    if (error->position < 0 || !sql || (size_t)error->position > len)
        return;
    varve_error placed = *error;
    place_in_script(&placed, origin);
    fputs("  at ", stderr);
    if (origin && origin->file)
        fprintf(stderr, "%s:", origin->file);
    fprintf(stderr, "%lld:%lld\n", (long long)placed.line, (long long)placed.column);
    print_line(sql, len, (size_t)error->position);
}

void complain_error(const varve_error *error, bool as_json, const struct origin *origin, const char *sql, size_t len)
{
    fflush(stdout);
    char *json = as_json ? json_of(error, origin) : NULL;
    if (json) {
        fprintf(stderr, "%s\n", json);
        varve_free(json);
        return;
    }
    complain("%s", error->message ? error->message : error->name ? error->name : "unknown error");
    print_place(error, origin, sql, len);
    print_part("detail", error->detail);
    print_part("hint", error->hint);
    print_part("context", error->context);
}
