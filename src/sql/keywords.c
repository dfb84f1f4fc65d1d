/* sql/keywords.c: the key words of the dialect. */
#include "sql/sql_int.h"

#include <stdlib.h>

static const char *const words[] = {
#define KEYWORD(WORD, CLASS) #WORD,
#include "sql/keywords.def"
#undef KEYWORD
};
static const enum sql_keyword_class classes[] = {
#define KEYWORD(WORD, CLASS) SQL_KEYWORD_##CLASS,
#include "sql/keywords.def"
#undef KEYWORD
};

const char *const *sql_keywords(size_t *count)
{
    *count = VV_ARRAY_COUNT(words);
    return words;
}

/* Orders a text of any case against an upper-case word. */
static int compare(const void *text, const void *word)
{
    const struct str *t = text;
    const char *w = *(const char *const *)word;
    size_t i = 0;
    for (; i < t->len && w[i]; i++) {
        unsigned char c = (unsigned char)t->ptr[i];
        if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        if (c != (unsigned char)w[i])
            return c < (unsigned char)w[i] ? -1 : 1;
    }
    return i < t->len ? 1 : w[i] ? -1 : 0;
}

enum sql_keyword_class sql_keyword_class(struct str word)
{
    const char *const *found = bsearch(&word, words, VV_ARRAY_COUNT(words), sizeof *words, compare);
    return found ? classes[found - words] : SQL_KEYWORD_NONE;
}
