/* cli/complete.c: what the tab key offers. */
#include "cli/cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void offer(struct completions *c, const char *word)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 32;
        char **wider = must_alloc(cap * sizeof *wider);
        if (c->count)
            memcpy(wider, c->words, c->count * sizeof *wider);
        free(c->words);
        c->words = wider;
        c->cap = cap;
    }
    c->words[c->count++] = must_dup(word);
}

static bool begins(const char *word, const char *prefix) { return strncasecmp(word, prefix, strlen(prefix)) == 0; }

/* ---- commands -------------------------------------------------------------------------- */

static void offer_commands(struct completions *c, const char *prefix)
{
    const char *dot, *backslash, *arguments, *help;
    for (size_t i = 0; command_describe(i, &dot, &backslash, &arguments, &help); i++) {
        const char *name = *prefix == '.' ? dot : backslash;
        if (*name && begins(name, prefix))
            offer(c, name);
    }
}

static void offer_modes(struct completions *c, const char *prefix)
{
    for (size_t i = 0; output_modes[i]; i++)
        if (begins(output_modes[i], prefix))
            offer(c, output_modes[i]);
}

/* ---- SQL ------------------------------------------------------------------------------------ */

struct asking {
    struct completions *out;
    bool lower; /* key words in the case that is being typed */
};

static void offer_word(void *user, int kind, const char *word)
{
    struct asking *a = user;
    if (kind != 0 || !a->lower) {
        offer(a->out, word);
        return;
    }
    char *copy = must_dup(word);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    offer(a->out, copy);
    free(copy);
}

static void offer_sql(struct shell *sh, const char *before, const char *line, size_t len, const char *prefix, struct completions *out)
{
    struct text sql = {0};
    struct asking asking = {.out = out};
    for (const char *p = prefix; *p; p++)
        asking.lower |= islower((unsigned char)*p) != 0;
    text_z(&sql, before);
    text_add(&sql, line, len);
    varve_complete(sh->session, sql.ptr, prefix, offer_word, &asking);
    const char *dot = strrchr(prefix, '.');
    if (out->count == 0 && dot) {
        out->replaces = strlen(dot + 1);
        varve_complete(sh->session, sql.ptr, dot + 1, offer_word, &asking);
    }
    text_release(&sql);
}

/* ---- the word at the cursor ------------------------------------------------------------------- */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.' || (unsigned char)c >= 0x80; }

static int compare_words(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_unique(struct completions *c)
{
    size_t kept = 0;
    if (c->count)
        qsort(c->words, c->count, sizeof *c->words, compare_words);
    for (size_t i = 0; i < c->count; i++) {
        if (kept && strcmp(c->words[kept - 1], c->words[i]) == 0)
            free(c->words[i]);
        else
            c->words[kept++] = c->words[i];
    }
    c->count = kept;
}

void complete(struct shell *sh, const char *before, const char *line, size_t len, struct completions *out)
{
    *out = (struct completions){0};
    char *copy = must_alloc(len + 1);
    memcpy(copy, line, len);
    bool command = !*before && (*copy == '.' || *copy == '\\');
    size_t start = len;
    while (start > 0 && (command ? !isspace((unsigned char)copy[start - 1]) : is_word(copy[start - 1])))
        start--;
    out->replaces = len - start;
    if (command && start == 0)
        offer_commands(out, copy);
    else if (command && begins(copy, ".mode"))
        offer_modes(out, copy + start);
    else
        offer_sql(sh, before, line, len, copy + start, out);
    sort_unique(out);
    free(copy);
}

size_t completions_common(const struct completions *c)
{
    size_t common = c->count ? strlen(c->words[0]) : 0;
    for (size_t i = 1; i < c->count; i++)
        for (size_t k = 0; k < common; k++)
            if (c->words[i][k] != c->words[0][k])
                common = k;
    return common;
}

void completions_release(struct completions *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->words[i]);
    free(c->words);
    *c = (struct completions){0};
}
