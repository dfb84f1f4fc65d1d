/* search/match.c: words to rows.
 *
 * A word of the request expands to terms: itself, terms that begin with it, and terms a few edits away.  A row's score for a word is that of its best
 * term; the kinds keep apart (a whole code above a word above a start above a typo):
 *     a term           0.40 + 0.30 × impact, and up to 0.30 more when it is a column's whole value, by the column's weight
 *     its start        0.15 + 0.15 × (share of the term that was typed) + 0.10 × impact
 *     one edit away    0.08 + 0.06 × impact;   two edits 0.02 + 0.05 × impact; half of it for codes, which people copy rather than spell
 * A row's score is the mean of its words' scores, weighted by how rare the words are (idf of BM25), so it lies in 0..1.
 *
 * Rows must answer every word.  When none does, typos of all words are allowed; when still none does, the rows that answer most words are taken.
 */
#include "search/search_int.h"

#include <math.h>
#include <stdlib.h>

#define MAX_NEAR 256u /* terms a typo may mean: the closest, then the most frequent */

/* A row's answer to one word in 32 bits that compare by quality: score, then kind, then column. */
typedef uint32_t packed;
static inline packed pack(double score, enum match_kind kind, uint32_t column)
{
    return (uint32_t)(score * 65535) << 16 | (3u - kind) << 8 | (31u - column);
}
static inline float packed_score(packed p) { return (float)(p >> 16) / 65535.0f; }
static inline uint8_t packed_kind(packed p) { return (uint8_t)(3u - (p >> 8 & 3)); }
static inline uint8_t packed_column(packed p) { return (uint8_t)(31u - (p & 31)); }

struct row_match {
    uint32_t row;
    packed answer;
};

struct near_term {
    uint32_t term, edits;
};

struct word {
    struct str text;
    uint32_t letters;
    bool exact;
    uint32_t exact_term;
    uint32_t prefix_from, prefix_to; /* terms; the exact one may be among them */
    struct near_term *near;
    uint32_t near_count;
    uint64_t row_count; /* postings of all its terms */
    double idf;
    bool may_be_typo, looked_near;
};

struct matching {
    struct arena *arena;
    const struct search_index *x;
    const struct rank_filter *filters;
    uint32_t filter_count;
    struct word words[SEARCH_MAX_WORDS];
    uint32_t word_count;
    struct error *err;
};

/* ---- scores ------------------------------------------------------------------------------- */

/* How the postings of one term answer a word: base + slope × impact. */
struct answer {
    struct postings postings;
    enum match_kind kind;
    double base, slope;
};

static packed answer_packed(const struct search_index *x, const struct answer *a, uint8_t impact, uint8_t flags)
{
    double score = a->base + a->slope * impact / 255.0;
    uint32_t column = flags & POSTING_COLUMN;
    enum match_kind kind = a->kind;
    if (kind == MATCH_TERM && (flags & POSTING_WHOLE)) {
        kind = MATCH_EXACT;
        score += 0.30 * x->config.weights[column] / x->max_weight;
    } else if (kind == MATCH_FUZZY && column == x->code_column) {
        score /= 2;
    }
    return pack(score, kind, column);
}

/* ---- expansions of a word ----------------------------------------------------------------------- */

static uint32_t expansion_count(const struct word *w)
{
    bool inside = w->exact && w->exact_term >= w->prefix_from && w->exact_term < w->prefix_to;
    return (w->exact && !inside) + (w->prefix_to - w->prefix_from) + w->near_count;
}

static struct answer prefix_answer(const struct matching *m, const struct word *w, uint32_t term)
{
    double share = (double)w->text.len / (double)dictionary_term(&m->x->dictionary, term).len;
    return (struct answer){index_postings(m->x, term), MATCH_PREFIX, 0.15 + 0.15 * share, 0.10};
}

/* Expansion i: the prefix range, then what is near, then the exact term when it is not in the range. */
static struct answer expansion(const struct matching *m, const struct word *w, uint32_t i)
{
    uint32_t prefixes = w->prefix_to - w->prefix_from;
    if (i < prefixes && !(w->exact && w->prefix_from + i == w->exact_term))
        return prefix_answer(m, w, w->prefix_from + i);
    if (i >= prefixes && i - prefixes < w->near_count) {
        struct near_term n = w->near[i - prefixes];
        bool one = n.edits == 1;
        return (struct answer){index_postings(m->x, n.term), MATCH_FUZZY, one ? 0.08 : 0.02, one ? 0.06 : 0.05};
    }
    return (struct answer){index_postings(m->x, w->exact_term), MATCH_TERM, 0.40, 0.30};
}

static void count_word(struct matching *m, struct word *w)
{
    const struct dictionary *d = &m->x->dictionary;
    bool inside = w->exact && w->exact_term >= w->prefix_from && w->exact_term < w->prefix_to;
    w->row_count = w->exact && !inside ? d->row_count[w->exact_term] : 0;
    for (uint32_t t = w->prefix_from; t < w->prefix_to; t++)
        w->row_count += d->row_count[t];
    for (uint32_t i = 0; i < w->near_count; i++)
        w->row_count += d->row_count[w->near[i].term];
    double rows = m->x->row_count, df = w->exact ? d->row_count[w->exact_term] : (double)w->row_count;
    if (df > rows)
        df = rows;
    w->idf = log(1 + (rows - df + 0.5) / (df + 0.5));
}

static void expand(struct matching *m, struct word *w, bool last)
{
    const struct dictionary *d = &m->x->dictionary;
    w->exact = dictionary_find(d, w->text, &w->exact_term);
    /* A start of two letters is a word being typed only at the end of the text; of one letter, only when it is no word itself. */
    if (!w->exact || w->letters >= 3 || (w->letters == 2 && last))
        dictionary_prefix(d, w->text, &w->prefix_from, &w->prefix_to);
    count_word(m, w);
}

/* The nearest terms, kept in a heap-free way: few pass, and the worst is replaced. */
struct near_search {
    const struct matching *m;
    const struct word *word;
    struct near_term found[MAX_NEAR];
    uint32_t count;
};

static bool nearer(const struct near_search *s, struct near_term a, struct near_term b)
{
    const uint32_t *rows = s->m->x->dictionary.row_count;
    if (a.edits != b.edits)
        return a.edits < b.edits;
    return rows[a.term] != rows[b.term] ? rows[a.term] > rows[b.term] : a.term < b.term;
}

static bool near_found(void *user, uint32_t term, uint32_t edits)
{
    struct near_search *s = user;
    const struct word *w = s->word;
    struct near_term n = {term, edits};
    if ((w->exact && term == w->exact_term) || (term >= w->prefix_from && term < w->prefix_to))
        return true;
    if (s->count < MAX_NEAR) {
        s->found[s->count++] = n;
        return true;
    }
    uint32_t worst = 0;
    for (uint32_t i = 1; i < MAX_NEAR; i++)
        if (nearer(s, s->found[worst], s->found[i]))
            worst = i;
    if (nearer(s, n, s->found[worst]))
        s->found[worst] = n;
    return true;
}

static enum status expand_near(struct matching *m, struct word *w)
{
    if (!w->may_be_typo || w->looked_near)
        return STATUS_OK;
    w->looked_near = true;
    struct near_search s = {.m = m, .word = w};
    dictionary_near(&m->x->dictionary, w->text, w->letters >= 8 ? 2 : 1, near_found, &s);
    if (s.count == 0)
        return STATUS_OK;
    w->near = arena_dup(m->arena, s.found, sizeof *s.found * s.count);
    if (!w->near)
        return error_oom(m->err);
    w->near_count = s.count;
    count_word(m, w);
    return STATUS_OK;
}

/* ---- words of the text ----------------------------------------------------------------------------- */

static enum status word_add(struct matching *m, struct str text)
{
    uint32_t letters = 0;
    bool digit = false;
    for (size_t i = 0; i < text.len; i++) {
        letters += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
        digit |= text.ptr[i] >= '0' && text.ptr[i] <= '9';
    }
    for (uint32_t i = 0; i < m->word_count; i++)
        if (str_eq(m->words[i].text, text))
            return STATUS_OK;
    if (m->word_count == SEARCH_MAX_WORDS)
        return error_set(m->err, STATUS_LIMIT_EXCEEDED, "the search text has more than %u words", SEARCH_MAX_WORDS);
    struct str copy = arena_str(m->arena, text);
    if (!copy.ptr)
        return error_oom(m->err);
    /* Codes and numbers are meant as they are written. */
    m->words[m->word_count++] = (struct word){.text = copy, .letters = letters, .may_be_typo = letters >= 4 && !digit};
    return STATUS_OK;
}

/* "AT&T" is the term att where a row has it written so, else the words at and t. */
static enum status chunk_words(struct matching *m, const struct chunk *c)
{
    struct str joined = {c->text, c->len};
    uint32_t term;
    if (c->part_count < 2 || dictionary_find(&m->x->dictionary, joined, &term))
        return word_add(m, joined);
    enum status status = STATUS_OK;
    for (uint32_t p = 0; p < c->part_count && status == STATUS_OK; p++)
        status = word_add(m, chunk_part(c, p));
    return status;
}

static bool names_column(const struct search_index *x, struct str word)
{
    for (uint32_t c = 0; c < x->column_count; c++)
        if (str_ieq(x->column_names[c], word))
            return true;
    return false;
}

/* In "technology sector" the second word says where to look: a column's name that no row holds narrows nothing. */
static void drop_column_names(struct matching *m)
{
    uint32_t kept = 0, held = 0;
    for (uint32_t i = 0; i < m->word_count; i++)
        held += m->words[i].exact || !names_column(m->x, m->words[i].text);
    if (held == 0)
        return;
    for (uint32_t i = 0; i < m->word_count; i++)
        if (m->words[i].exact || !names_column(m->x, m->words[i].text))
            m->words[kept++] = m->words[i];
    m->word_count = kept;
}

static enum status read_words(struct matching *m, struct str text)
{
    struct chunk c;
    enum status status = STATUS_OK;
    for (size_t at = 0; status == STATUS_OK && chunk_next(text, &at, &c);)
        status = chunk_words(m, &c);
    for (uint32_t i = 0; i < m->word_count && status == STATUS_OK; i++)
        expand(m, &m->words[i], i + 1 == m->word_count);
    if (status == STATUS_OK)
        drop_column_names(m);
    for (uint32_t i = 0; i < m->word_count && status == STATUS_OK; i++)
        if (m->words[i].row_count == 0)
            status = expand_near(m, &m->words[i]);
    return status;
}

/* ---- all rows of one word --------------------------------------------------------------------------- */

struct row_matches {
    struct row_match *items;
    size_t count;
};

static enum status word_rows_one(struct matching *m, const struct answer *a, struct row_matches *out)
{
    out->items = mem_alloc(sizeof *out->items * a->postings.count);
    if (!out->items)
        return error_oom(m->err);
    struct postings_block block;
    for (uint32_t b = 0; b < postings_blocks(a->postings); b++) {
        postings_load(a->postings, b, &block);
        for (uint32_t i = 0; i < block.count; i++)
            out->items[out->count++] = (struct row_match){block.rows[i], answer_packed(m->x, a, block.impacts[i], block.flags[i])};
    }
    return STATUS_OK;
}

static void best_into(const struct matching *m, const struct answer *a, packed *by_row)
{
    struct postings_block block;
    for (uint32_t b = 0; b < postings_blocks(a->postings); b++) {
        postings_load(a->postings, b, &block);
        for (uint32_t i = 0; i < block.count; i++) {
            packed p = answer_packed(m->x, a, block.impacts[i], block.flags[i]);
            if (p > by_row[block.rows[i]])
                by_row[block.rows[i]] = p;
        }
    }
}

/* Many postings: a slot a row. */
static enum status word_rows_dense(struct matching *m, const struct word *w, struct row_matches *out)
{
    packed *by_row = mem_calloc(m->x->row_count, sizeof *by_row);
    if (!by_row)
        return error_oom(m->err);
    uint32_t expansions = expansion_count(w);
    for (uint32_t i = 0; i < expansions; i++) {
        struct answer a = expansion(m, w, i);
        best_into(m, &a, by_row);
    }
    size_t count = 0;
    for (uint32_t row = 0; row < m->x->row_count; row++)
        count += by_row[row] != 0;
    out->items = mem_alloc(sizeof *out->items * count);
    for (uint32_t row = 0; out->items && row < m->x->row_count; row++)
        if (by_row[row])
            out->items[out->count++] = (struct row_match){row, by_row[row]};
    mem_free(by_row);
    return out->items ? STATUS_OK : error_oom(m->err);
}

static int compare_row_matches(const void *left, const void *right)
{
    const struct row_match *a = left, *b = right;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->answer < b->answer) - (a->answer > b->answer);
}

/* Few postings: gathered, sorted, and the best of each row kept. */
static enum status word_rows_sparse(struct matching *m, const struct word *w, struct row_matches *out)
{
    out->items = mem_alloc(sizeof *out->items * w->row_count);
    if (!out->items)
        return error_oom(m->err);
    uint32_t expansions = expansion_count(w);
    struct postings_block block;
    for (uint32_t e = 0; e < expansions; e++) {
        struct answer a = expansion(m, w, e);
        for (uint32_t b = 0; b < postings_blocks(a.postings); b++) {
            postings_load(a.postings, b, &block);
            for (uint32_t i = 0; i < block.count; i++)
                out->items[out->count++] = (struct row_match){block.rows[i], answer_packed(m->x, &a, block.impacts[i], block.flags[i])};
        }
    }
    qsort(out->items, out->count, sizeof *out->items, compare_row_matches);
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++)
        if (kept == 0 || out->items[kept - 1].row != out->items[i].row)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return STATUS_OK;
}

static enum status word_rows(struct matching *m, const struct word *w, struct row_matches *out)
{
    *out = (struct row_matches){0};
    if (expansion_count(w) == 1) {
        struct answer only = expansion(m, w, 0);
        return word_rows_one(m, &only, out);
    }
    return w->row_count > m->x->row_count / 16 ? word_rows_dense(m, w, out) : word_rows_sparse(m, w, out);
}

/* ---- rows that answer every word ------------------------------------------------------------------------ */

static size_t find_candidate(const struct candidates *c, uint32_t row, size_t from)
{
    size_t step = 1, low = from;
    while (low + step < c->count && c->items[low + step].row < row) {
        low += step;
        step *= 2;
    }
    size_t high = low + step < c->count ? low + step + 1 : c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->items[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A short list of postings: each row is looked for among the candidates. */
static void probe_candidates(const struct matching *m, const struct answer *a, const struct candidates *c, packed *best)
{
    struct postings_block block;
    size_t at = 0;
    for (uint32_t b = 0; b < postings_blocks(a->postings) && at < c->count; b++) {
        postings_load(a->postings, b, &block);
        for (uint32_t i = 0; i < block.count && at < c->count; i++) {
            at = find_candidate(c, block.rows[i], at);
            if (at == c->count || c->items[at].row != block.rows[i])
                continue;
            packed p = answer_packed(m->x, a, block.impacts[i], block.flags[i]);
            if (p > best[at])
                best[at] = p;
        }
    }
}

/* A long list: only the blocks that can hold a candidate are opened. */
static void probe_postings(const struct matching *m, const struct answer *a, const struct candidates *c, packed *best)
{
    struct postings_block block;
    uint32_t blocks = postings_blocks(a->postings), loaded = UINT32_MAX, b = 0;
    uint32_t i = 0;
    for (size_t at = 0; at < c->count; at++) {
        uint32_t row = c->items[at].row;
        b = postings_seek(a->postings, b, row);
        if (b >= blocks)
            return;
        if (b != loaded) {
            postings_load(a->postings, b, &block);
            loaded = b;
            i = 0;
        }
        while (i < block.count && block.rows[i] < row)
            i++;
        if (i == block.count || block.rows[i] != row)
            continue;
        packed p = answer_packed(m->x, a, block.impacts[i], block.flags[i]);
        if (p > best[at])
            best[at] = p;
    }
}

static void candidate_add_word(struct candidate *c, const struct matching *m, const struct word *w, packed answer)
{
    uint8_t kind = packed_kind(answer), column = packed_column(answer);
    c->score += (float)(w->idf * packed_score(answer));
    if (kind > c->kind)
        c->kind = kind;
    if (m->x->config.weights[column] > m->x->config.weights[c->column])
        c->column = column;
}

static enum status keep_matching(struct matching *m, const struct word *w, struct candidates *c)
{
    packed *best = mem_calloc(c->count, sizeof *best);
    if (!best)
        return error_oom(m->err);
    uint32_t expansions = expansion_count(w);
    for (uint32_t e = 0; e < expansions; e++) {
        struct answer a = expansion(m, w, e);
        if (a.postings.count < c->count)
            probe_candidates(m, &a, c, best);
        else
            probe_postings(m, &a, c, best);
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (best[i]) {
            c->items[kept] = c->items[i];
            candidate_add_word(&c->items[kept++], m, w, best[i]);
        }
    c->count = kept;
    mem_free(best);
    return STATUS_OK;
}

static enum status first_candidates(struct matching *m, const struct word *w, struct candidates *out)
{
    struct row_matches rows;
    enum status status = word_rows(m, w, &rows);
    if (status == STATUS_OK) {
        out->items = mem_alloc(sizeof *out->items * rows.count);
        if (!out->items)
            status = error_oom(m->err);
    }
    for (size_t i = 0; status == STATUS_OK && i < rows.count; i++) {
        packed p = rows.items[i].answer;
        out->items[out->count++] = (struct candidate){rows.items[i].row, (float)(w->idf * packed_score(p)), packed_kind(p), packed_column(p)};
    }
    mem_free(rows.items);
    return status;
}

static void candidates_clear(struct candidates *c)
{
    mem_free(c->items);
    *c = (struct candidates){0};
}

static int compare_words(const void *left, const void *right)
{
    const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;
    if (a->row_count != b->row_count)
        return a->row_count < b->row_count ? -1 : 1;
    return a < b ? -1 : a > b;
}

static enum status match_all(struct matching *m, struct candidates *out)
{
    struct word *order[SEARCH_MAX_WORDS];
    for (uint32_t i = 0; i < m->word_count; i++)
        order[i] = &m->words[i];
    qsort(order, m->word_count, sizeof *order, compare_words);
    if (order[0]->row_count == 0)
        return STATUS_OK;
    enum status status = first_candidates(m, order[0], out);
    for (uint32_t i = 1; i < m->word_count && status == STATUS_OK && out->count > 0; i++)
        status = keep_matching(m, order[i], out);
    return status;
}

/* ---- filters, and rows that answer most words -------------------------------------------------------------- */

static bool passes(const struct matching *m, uint32_t row)
{
    for (uint32_t f = 0; f < m->filter_count; f++)
        if (!rank_filter_passes(&m->filters[f], row))
            return false;
    return true;
}

static void keep_passing(const struct matching *m, struct candidates *c)
{
    size_t kept = 0;
    for (size_t i = 0; m->filter_count && i < c->count; i++)
        if (passes(m, c->items[i].row))
            c->items[kept++] = c->items[i];
    if (m->filter_count)
        c->count = kept;
}

struct tally {
    struct candidate *by_row;
    uint8_t *words; /* that the row answers */
};

static enum status tally_word(struct matching *m, const struct word *w, struct tally *t)
{
    struct row_matches rows;
    enum status status = w->row_count ? word_rows(m, w, &rows) : STATUS_OK;
    if (status != STATUS_OK || w->row_count == 0)
        return status;
    for (size_t i = 0; i < rows.count; i++) {
        uint32_t row = rows.items[i].row;
        struct candidate *c = &t->by_row[row];
        if (t->words[row]++ == 0)
            *c = (struct candidate){.row = row, .column = packed_column(rows.items[i].answer)};
        candidate_add_word(c, m, w, rows.items[i].answer);
    }
    mem_free(rows.items);
    return STATUS_OK;
}

static enum status match_most(struct matching *m, struct candidates *out)
{
    struct tally t = {mem_alloc(sizeof *t.by_row * m->x->row_count), mem_calloc(m->x->row_count, 1)};
    enum status status = t.by_row && t.words ? STATUS_OK : error_oom(m->err);
    for (uint32_t i = 0; i < m->word_count && status == STATUS_OK; i++)
        status = tally_word(m, &m->words[i], &t);
    uint8_t most = 1;
    for (uint32_t row = 0; status == STATUS_OK && row < m->x->row_count; row++)
        if (t.words[row] > most && passes(m, row))
            most = t.words[row];
    for (uint32_t row = 0; status == STATUS_OK && row < m->x->row_count; row++)
        if (t.words[row] == most && passes(m, row))
            t.by_row[out->count++] = t.by_row[row];
    mem_free(t.words);
    if (status == STATUS_OK)
        out->items = t.by_row;
    else
        mem_free(t.by_row);
    return status;
}

/* ---- the text ------------------------------------------------------------------------------------------------- */

/* Scores so far are sums of idf × score. */
static void normalize(const struct matching *m, struct candidates *c)
{
    double total = 0;
    for (uint32_t i = 0; i < m->word_count; i++)
        total += m->words[i].idf;
    for (size_t i = 0; i < c->count && total > 0; i++)
        c->items[i].score = (float)(c->items[i].score / total);
}

static enum status match_with_typos(struct matching *m, struct candidates *out)
{
    enum status status = STATUS_OK;
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < m->word_count && status == STATUS_OK; i++) {
        before += m->words[i].row_count;
        status = expand_near(m, &m->words[i]);
        after += m->words[i].row_count;
    }
    if (status != STATUS_OK || after == before)
        return status;
    candidates_clear(out);
    return match_all(m, out);
}

enum status match_text(struct arena *arena, const struct search_index *x, struct str text, const struct rank_filter *filters, uint32_t filter_count,
                       struct candidates *out, struct error *err)
{
    *out = (struct candidates){0};
    if (text.len > SEARCH_MAX_TEXT)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "the search text has %zu bytes; at most %u are allowed", text.len, SEARCH_MAX_TEXT);
    struct matching *m = ARENA_NEW(arena, struct matching);
    if (!m)
        return error_oom(err);
    *m = (struct matching){.arena = arena, .x = x, .filters = filters, .filter_count = filter_count, .err = err};
    enum status status = read_words(m, text);
    if (status != STATUS_OK || m->word_count == 0 || x->row_count == 0)
        return status;
    status = match_all(m, out);
    if (status == STATUS_OK && out->count == 0)
        status = match_with_typos(m, out);
    if (status == STATUS_OK && out->count == 0 && m->word_count > 1) {
        candidates_clear(out);
        status = match_most(m, out);
    } else if (status == STATUS_OK) {
        keep_passing(m, out);
    }
    if (status == STATUS_OK)
        normalize(m, out);
    else
        candidates_clear(out);
    return status;
}
