/* search/dictionary.c: lookup in the sorted terms. */
#include "search/search_int.h"

uint32_t dictionary_lower(const struct dictionary *d, struct str text)
{
    uint32_t from = 0, to = d->term_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (str_cmp(dictionary_term(d, middle), text) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool dictionary_find(const struct dictionary *d, struct str text, uint32_t *term)
{
    *term = dictionary_lower(d, text);
    return *term < d->term_count && str_eq(dictionary_term(d, *term), text);
}

/* The first term at or after `from` that does not begin with the prefix; the ones before it, from `from`, do. */
static uint32_t prefix_end(const struct dictionary *d, uint32_t from, struct str prefix)
{
    uint32_t step = 1, low = from;
    while (low + step <= d->term_count && str_starts(dictionary_term(d, low + step - 1), prefix)) {
        low += step;
        step *= 2;
    }
    uint32_t high = low + step <= d->term_count ? low + step - 1 : d->term_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_starts(dictionary_term(d, middle), prefix))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void dictionary_prefix(const struct dictionary *d, struct str prefix, uint32_t *from, uint32_t *to)
{
    *from = dictionary_lower(d, prefix);
    *to = prefix_end(d, *from, prefix);
}

/* ---- edit distance ------------------------------------------------------------------------ */

/* Row r of the table holds the distances from the first r letters of the term to every start of the word (optimal string alignment).  Sorted terms
 * share their starts, so only the rows after the shared letters are made anew, and a start whose row is above the limit everywhere rules out all
 * terms that share it: the sorted array is walked like a trie. */
struct near {
    uint32_t word[TOKEN_MAX];
    uint32_t word_len;
    uint32_t max_edits;
    uint32_t term[TOKEN_MAX];     /* letters of the last term looked at */
    uint32_t term_end[TOKEN_MAX]; /* byte where each ends */
    uint32_t term_len;            /* letters with a valid row */
    uint8_t rows[TOKEN_MAX + 1][TOKEN_MAX + 1];
};

static uint32_t letters(struct str text, uint32_t *out, uint32_t *ends)
{
    uint32_t count = 0;
    for (size_t at = 0; at < text.len && count < TOKEN_MAX; count++) {
        size_t step = utf8_step(str_sub(text, at, text.len - at), &out[count]);
        at += step ? step : 1;
        if (ends)
            ends[count] = (uint32_t)at;
    }
    return count;
}

static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

/* Makes row r from rows r-1 and r-2; true when some distance in it is within the limit. */
static bool row_make(struct near *n, uint32_t r)
{
    uint8_t *row = n->rows[r], *above = n->rows[r - 1];
    uint32_t letter = n->term[r - 1];
    uint8_t smallest = row[0] = (uint8_t)r;
    for (uint32_t i = 1; i <= n->word_len; i++) {
        uint8_t v = least((uint8_t)(above[i] + 1), (uint8_t)(row[i - 1] + 1));
        v = least(v, (uint8_t)(above[i - 1] + (n->word[i - 1] != letter)));
        if (r > 1 && i > 1 && n->word[i - 2] == letter && n->word[i - 1] == n->term[r - 2])
            v = least(v, (uint8_t)(n->rows[r - 2][i - 2] + 1));
        row[i] = v;
        smallest = least(smallest, v);
    }
    return smallest <= n->max_edits;
}

/* Letters of `term` up to where its rows stay within the limit.  false: ruled out after *dead letters. */
static bool near_term(struct near *n, struct str term, uint32_t *dead)
{
    uint32_t text[TOKEN_MAX], ends[TOKEN_MAX];
    uint32_t len = letters(term, text, ends), same = 0;
    while (same < n->term_len && same < len && text[same] == n->term[same])
        same++;
    n->term_len = same;
    while (n->term_len < len) {
        uint32_t r = n->term_len + 1;
        n->term[r - 1] = text[r - 1];
        n->term_end[r - 1] = ends[r - 1];
        /* A swap reaches over a row, but from a value that a change would bring into that row one dearer: a row above the limit stays final. */
        if (!row_make(n, r)) {
            *dead = r;
            return false;
        }
        n->term_len = r;
    }
    return true;
}

void dictionary_near(const struct dictionary *d, struct str word, uint32_t max_edits, dictionary_near_fn fn, void *user)
{
    struct near n = {.max_edits = max_edits};
    n.word_len = letters(word, n.word, NULL);
    for (uint32_t i = 0; i <= n.word_len; i++)
        n.rows[0][i] = (uint8_t)i;
    for (uint32_t t = 0; t < d->term_count;) {
        struct str term = dictionary_term(d, t);
        uint32_t dead = 0;
        if (!near_term(&n, term, &dead)) {
            t = prefix_end(d, t, str_sub(term, 0, n.term_end[dead - 1]));
            continue;
        }
        uint8_t edits = n.rows[n.term_len][n.word_len];
        if (edits <= max_edits && !fn(user, t, edits))
            return;
        t++;
    }
}
