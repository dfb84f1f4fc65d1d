/* search/search_int.h: the parts of the index.
 *
 *   token.c       text -> words as they are indexed
 *   config.c      the configuration object;  filters.c  the filters of a request
 *   builder.c     rows -> occurrences;       finish.c   occurrences -> dictionary and postings
 *   postings.c    one term's rows, in blocks
 *   dictionary.c  sorted terms: exact, prefix and edit-distance lookup
 *   ranks.c       a column's values as ranks, for filters and order; made when first asked for
 *   match.c       words -> rows with scores; run.c      a request -> a page
 *
 * An index is one immutable segment of rows [0, row_count).  Several segments (one per commit, with deleted rows masked) can be searched side by
 * side with the same parts; scores then need df and average lengths summed over the segments.
 */
#ifndef VARVE_SEARCH_INT_H
#define VARVE_SEARCH_INT_H

#include "search/search.h"

#define SEARCH_MAX_COLUMNS 32u /* searched columns: five bits of a posting */
#define SEARCH_MAX_TEXT 2048u  /* bytes of a request's text */
#define SEARCH_MAX_WORDS 32u
#define TOKEN_MAX 64u /* bytes of a term */
#define TOKEN_MAX_PARTS 16u
#define POSTINGS_BLOCK 128u
#define NO_RANK UINT32_MAX /* of a NULL */

/* ---- tokens ---------------------------------------------------------------------------- */

/* A chunk is what a person would call one word: "AT&T", "BRK.B", "health-care".  Its term is its letters and digits without case, accents and
 * inner punctuation ("att", "brkb", "healthcare"); when punctuation stood inside, its parts are terms too ("at", "t"). */
struct chunk {
    char text[TOKEN_MAX];
    uint8_t len;
    uint8_t part_count;                /* 0 when the chunk has no inner punctuation */
    uint8_t part_end[TOKEN_MAX_PARTS]; /* part i is text[part_end[i - 1] .. part_end[i]) */
};
/* The next chunk at or after *at; false at the end.  Bytes that are not UTF-8 separate words. */
bool chunk_next(struct str text, size_t *at, struct chunk *out);
struct str chunk_part(const struct chunk *c, uint32_t part);

/* ---- postings ------------------------------------------------------------------------------ */

/* A row that holds a term: how well (1..255, the saturated weighted frequency of BM25F), in which searched column best, and whether the term is that
 * column's whole value. */
struct posting {
    uint32_t row;
    uint8_t impact;
    uint8_t flags; /* POSTING_WHOLE | column */
};
#define POSTING_WHOLE 0x80u
#define POSTING_COLUMN 0x1Fu

/* Appends the postings (rows ascending) as blocks. */
void postings_encode(struct buf *out, const struct posting *postings, uint32_t count);

struct postings {
    const uint8_t *data;
    uint32_t count;
};
struct postings_block {
    uint32_t count;
    uint32_t rows[POSTINGS_BLOCK];
    const uint8_t *impacts, *flags;
};
static inline uint32_t postings_blocks(struct postings p) { return (p.count + POSTINGS_BLOCK - 1) / POSTINGS_BLOCK; }
void postings_load(struct postings p, uint32_t block, struct postings_block *out);
/* The first block at or after `from` that can hold `row`; postings_blocks(p) when there is none. */
uint32_t postings_seek(struct postings p, uint32_t from, uint32_t row);

/* ---- index ------------------------------------------------------------------------------------ */

struct dictionary {
    char *text;            /* all terms, sorted by bytes, one after the other */
    uint32_t *text_at;     /* term_count + 1 */
    uint32_t *row_count;   /* rows that hold the term */
    uint64_t *postings_at; /* into search_index.postings */
    uint32_t term_count;
};
static inline struct str dictionary_term(const struct dictionary *d, uint32_t term)
{
    return (struct str){d->text + d->text_at[term], d->text_at[term + 1] - d->text_at[term]};
}
/* The first term not below the text; term_count when there is none. */
uint32_t dictionary_lower(const struct dictionary *d, struct str text);
bool dictionary_find(const struct dictionary *d, struct str text, uint32_t *term);
/* Terms that begin with the text: [*from, *to). */
void dictionary_prefix(const struct dictionary *d, struct str prefix, uint32_t *from, uint32_t *to);
/* Calls fn with each term within max_edits (insert, delete, change, swap of neighbours) of the word; fn returns false to stop. */
typedef bool (*dictionary_near_fn)(void *user, uint32_t term, uint32_t edits);
void dictionary_near(const struct dictionary *d, struct str word, uint32_t max_edits, dictionary_near_fn fn, void *user);

enum rank_kind { RANK_TEXT, RANK_NUMBER, RANK_TIME };
struct ranks {
    enum rank_kind kind;
    uint32_t *of_row;      /* rank of the row's value among the distinct ones, in order; NO_RANK for NULL */
    uint32_t *example_row; /* rank -> a row with that value */
    uint32_t distinct;
};

struct search_index {
    struct arena arena; /* configuration and names */
    struct search_table_config config;
    struct str *column_names;
    uint32_t column_count;
    double max_weight;
    uint32_t code_column; /* the searched column that is the id; UINT32_MAX when it is not searched */
    uint32_t row_count;
    char *values;       /* rows: per column a varint length and JSON text; length 0 is null */
    uint64_t *value_at; /* row_count + 1 */
    struct dictionary dictionary;
    uint8_t *postings;
    uint64_t postings_size_bytes;
    atomic_ullong size_bytes;
    pthread_mutex_t ranks_lock;     /* held while a column's ranks are made */
    _Atomic(struct ranks *) *ranks; /* by column */
};
static inline struct postings index_postings(const struct search_index *x, uint32_t term)
{
    return (struct postings){x->postings + x->dictionary.postings_at[term], x->dictionary.row_count[term]};
}
/* JSON text of a value; len 0 for null. */
struct str index_value(const struct search_index *x, uint32_t row, uint32_t column);
/* Ignoring ASCII case when no name is equal; UINT32_MAX when there is none. */
uint32_t index_column(const struct search_index *x, struct str name);

/* Decoded text of a JSON value: a string without its quotes, anything else as it stands. Scratch memory only where there are escapes. */
enum status value_text(struct arena *scratch, struct str json, struct str *out, struct error *err);

enum status index_ranks(struct search_index *x, uint32_t column, const struct ranks **out, struct error *err);
void ranks_free(struct ranks *r);

/* A filter made ready: a row passes when its rank lies in [from, to) and, with a set, the set has its bit. */
struct rank_filter {
    const uint32_t *of_row;
    uint32_t from, to;
    const uint8_t *set;
};
enum status rank_filter_make(struct arena *arena, struct search_index *x, const struct search_filter *filter, struct rank_filter *out,
                             struct error *err);
static inline bool rank_filter_passes(const struct rank_filter *f, uint32_t row)
{
    uint32_t rank = f->of_row[row];
    return rank >= f->from && rank < f->to && (!f->set || (f->set[rank >> 3] >> (rank & 7) & 1));
}

/* ---- builder ---------------------------------------------------------------------------------------- */

struct occurrence {
    uint32_t term;
    uint8_t column;    /* searched column */
    uint8_t frequency; /* low 7 bits; OCCURRENCE_WHOLE */
    uint16_t length;   /* of the column's text, in chunks */
};
#define OCCURRENCE_WHOLE 0x80u

struct search_builder {
    struct arena arena;
    struct search_table_config config;
    struct str *column_names;
    uint32_t column_count;
    uint32_t searched[SEARCH_MAX_COLUMNS]; /* searched column -> column */
    uint64_t max_bytes;

    char *values;
    size_t values_len, values_cap;
    uint64_t *value_at;
    struct occurrence *occurrences;
    uint64_t *occurrence_at; /* per row */
    size_t occurrence_count, occurrence_cap;
    uint32_t row_count, row_cap;

    char *term_text;
    size_t term_text_len, term_text_cap;
    uint32_t *term_at; /* start in term_text; the next term's start is the end */
    uint32_t term_count, term_cap;
    uint32_t *slots; /* hash table of term + 1 */
    uint32_t slot_count;

    uint64_t length_sum[SEARCH_MAX_COLUMNS], length_rows[SEARCH_MAX_COLUMNS];
    struct arena scratch; /* of one row */
};
static inline struct str builder_term(const struct search_builder *b, uint32_t term)
{
    return (struct str){b->term_text + b->term_at[term], b->term_at[term + 1] - b->term_at[term]};
}
enum status table_config_copy(struct arena *arena, const struct search_table_config *from, struct search_table_config *to, struct error *err);

/* ---- matching ------------------------------------------------------------------------------------------ */

/* How a row answers a word, best first. */
enum match_kind { MATCH_EXACT, MATCH_TERM, MATCH_PREFIX, MATCH_FUZZY };
struct candidate {
    uint32_t row;
    float score;    /* 0..1 */
    uint8_t kind;   /* the worst of its words */
    uint8_t column; /* the best of its words */
};
struct candidates {
    struct candidate *items;
    size_t count;
};
/* Rows that answer the text and pass the filters, in row order.  items are the caller's to mem_free. */
enum status match_text(struct arena *arena, const struct search_index *x, struct str text, const struct rank_filter *filters, uint32_t filter_count,
                       struct candidates *out, struct error *err);

#endif
