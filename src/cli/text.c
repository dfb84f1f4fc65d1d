#include "cli/cli.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

static void out_of_memory(void)
{
    fputs("error: out of memory\n", stderr);
    exit(LEAVE_FATAL);
}

void *must_alloc(size_t size_bytes)
{
    void *p = calloc(1, size_bytes ? size_bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *must_dup(const char *z)
{
    char *copy = strdup(z);
    if (!copy)
        out_of_memory();
    return copy;
}

void text_add(struct text *t, const void *bytes, size_t len)
{
    if (t->cap - t->len <= len) {
        size_t cap = (t->len + len + 64) * 2;
        char *wider = cap > t->len + len ? realloc(t->ptr, cap) : NULL;
        if (!wider)
            out_of_memory();
        t->ptr = wider;
        t->cap = cap;
    }
    if (len)
        memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

void text_z(struct text *t, const char *z) { text_add(t, z, strlen(z)); }

void text_char(struct text *t, char c) { text_add(t, &c, 1); }

void text_printf(struct text *t, const char *fmt, ...)
{
    char *made = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&made, fmt, args);
    va_end(args);
    if (len < 0)
        out_of_memory();
    text_add(t, made, (size_t)len);
    free(made);
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->ptr)
        t->ptr[0] = '\0';
}

void text_release(struct text *t)
{
    free(t->ptr);
    *t = (struct text){0};
}

void text_quoted(struct text *t, const char *value)
{
    text_char(t, '\'');
    for (; *value; value++) {
        if (*value == '\'')
            text_char(t, '\'');
        text_char(t, *value);
    }
    text_char(t, '\'');
}

/* ---- names ------------------------------------------------------------------------------ */

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static bool is_table_path(const char *table)
{
    char log[PATH_MAX];
    int len = snprintf(log, sizeof log, "%s/_delta_log", table);
    return len > 0 && (size_t)len < sizeof log && is_directory(log);
}

static void text_backquoted(struct text *t, const char *name, size_t len)
{
    text_char(t, '`');
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '`')
            text_char(t, '`');
        text_char(t, name[i]);
    }
    text_char(t, '`');
}

/* Plain names are quoted, for they may be key words; anything else is SQL already. */
static bool is_plain_name(const char *table)
{
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    return *table && strspn(table, letters) == strlen(table) && !strstr(table, "..") && *table != '.';
}

void text_table(struct text *t, const char *table)
{
    char absolute[PATH_MAX];
    if (is_table_path(table) && realpath(table, absolute)) {
        text_z(t, "delta.");
        text_backquoted(t, absolute, strlen(absolute));
        return;
    }
    if (!is_plain_name(table)) {
        text_z(t, table);
        return;
    }
    for (const char *part = table; *part;) {
        size_t len = strcspn(part, ".");
        text_backquoted(t, part, len);
        part += len;
        if (*part == '.')
            text_char(t, *part++);
    }
}

enum { NEAREST_MAX = 40 };

static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t v = above[j - 1] + (a[i - 1] != b[j - 1]);
            v = above[j] + 1 < v ? above[j] + 1 : v;
            v = row[j - 1] + 1 < v ? row[j - 1] + 1 : v;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < v)
                v = above2[j - 2] + 1;
            row[j] = v;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t len = strlen(word), best_distance = len < 3 ? 2 : len < 6 ? 3 : len / 3 + 1;
    const char *best = NULL;
    for (size_t i = 0; i < count && len <= NEAREST_MAX; i++) {
        size_t candidate_len = strlen(candidates[i]);
        size_t distance = candidate_len <= NEAREST_MAX ? edit_distance(word, len, candidates[i], candidate_len) : SIZE_MAX;
        if (distance < best_distance && distance < len) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}

size_t text_columns(const char *bytes, size_t len)
{
    mbstate_t state = {0};
    size_t columns = 0;
    while (len) {
        wchar_t c;
        size_t step = mbrtowc(&c, bytes, len, &state);
        int width = 1;
        if (step == 0 || step > len) {
            state = (mbstate_t){0};
            step = 1;
        } else {
            width = wcwidth(c);
        }
        columns += width >= 0 ? (size_t)width : 1; /* a control character is shown as a blank */
        bytes += step;
        len -= step;
    }
    return columns;
}

bool text_file(struct text *t, FILE *file)
{
    char block[65536];
    size_t len;
    while ((len = fread(block, 1, sizeof block, file)) > 0)
        text_add(t, block, len);
    return !ferror(file);
}
