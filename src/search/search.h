/* search/search.h: words to rows of configured tables: an inverted index with BM25F, keyed by table version.
 *
 * This room knows no engine and no table: rows come in as texts and values through search_builder, so it is tested alone.  Whoever calls it (exec)
 * reads a table at a version, builds an index once, and asks it many times from many threads.
 */
#ifndef VARVE_SEARCH_H
#define VARVE_SEARCH_H

#include "base/base.h"
#include "codec/codec.h"

/* ---- configuration (features.md 196, 2.2):
 * {"search":{"tables":{"gold.companies":{"columns":{"id":"symbol","title":"security","subtitle":…,"description":…,
 * "category":"sector","date":…},"searchColumns":["symbol","security","sector"],"weights":{"symbol":4,"security":2}}}}} */
struct search_table_config {
    struct str table;                                            /* "gold.companies" */
    struct str id, title, subtitle, description, category, date; /* column names; NULL ptr when not configured */
    struct str *columns;                                         /* searched */
    double *weights;                                             /* one per column, default: earlier columns weigh more: 4, 2, 1, 1… */
    uint32_t column_count;
};
struct search_config {
    struct search_table_config *tables;
    uint32_t table_count;
    struct arena arena;
};
/* INVALID_ARGUMENT naming the key; unknown keys are errors with the nearest name. */
enum status search_config_parse(struct str json, struct search_config *out, struct error *err);
void search_config_release(struct search_config *c);

/* ---- index ------------------------------------------------------------------------------- */

struct search_index; /* immutable once finished; thread safe */
struct search_builder;
enum status search_builder_new(const struct search_table_config *config, const char *const *column_names, size_t column_count,
                               struct search_builder **out, struct error *err);
/* One row: every column's value as JSON text (numbers, strings, null) in order of column_names; copied. */
enum status search_builder_row(struct search_builder *b, const struct str *json_values, struct error *err);
/* The most memory the builder may use, 2 GiB unless told; a row that would need more is refused with LIMIT_EXCEEDED. The finished index is smaller.
 */
void search_builder_limit(struct search_builder *b, uint64_t max_bytes);
/* Takes the builder, also on failure. */
enum status search_builder_finish(struct search_builder *b, struct search_index **out, struct error *err);
void search_builder_free(struct search_builder *b);
void search_index_free(struct search_index *index);
uint64_t search_index_rows(const struct search_index *index);
uint64_t search_index_bytes(const struct search_index *index);

/* ---- query --------------------------------------------------------------------------------- */

struct search_filter { /* every filter must hold */
    enum { SEARCH_FILTER_IN, SEARCH_FILTER_RANGE } kind;
    struct str column;
    const struct str *values; /* IN: texts, compared without case */
    uint32_t value_count;
    struct str from, to; /* RANGE: inclusive from, inclusive to (a date-only `to` includes that day); NULL ptr = open; numbers compare as numbers,
                            dates and times as time */
};
struct search_request {
    struct str text; /* empty: every row that passes the filters */
    const struct search_filter *filters;
    uint32_t filter_count;
    struct str sort_by; /* empty or "relevance", "date", "name", or a column */
    bool ascending, has_order;
    size_t offset, limit;
};
/* Parses the `filters` JSON of the API (dateRange, category, type…, custom) against the configuration. Malformed: INVALID_ARGUMENT. */
enum status search_filters_parse(struct arena *arena, const struct search_table_config *config, struct str json, struct search_filter **out,
                                 uint32_t *count, struct error *err);
struct search_hit {
    uint32_t row;
    double score;          /* 0..1: relative to the best possible for this query */
    struct str match_type; /* "exact", "prefix", "fuzzy", "term", "all" (no text) ; static */
};
struct search_page {
    struct search_hit *hits;
    size_t hit_count;
    uint64_t total; /* exact */
    struct arena arena;
};
/* The text is at most 2048 bytes and 32 words: LIMIT_EXCEEDED beyond. Orders and filters on a column index it on first use (once, some 100 ms per
 * million rows).  INVALID_ARGUMENT: a column that is not there, a bound that is no number or date for a column of such. Tokens are lower-cased words
 * and codes; every word of the query narrows (AND), falling back to the best partial matches when no row has them all; whole-code match ("AAPL")
 * beats prefix beats typo (one edit from 4 letters, two from 8).  Ties: higher weight column first, then row order. total counts all rows that
 * answer: those with every word, or, falling back, those with as many words as any row has.  A word that is the name of a column and in no row
 * ("sector" in "technology sector") narrows nothing. */
enum status search_run(const struct search_index *index, const struct search_request *request, struct search_page *out, struct error *err);
void search_page_release(struct search_page *p);
/* The stored JSON text of a row's column; NULL ptr for an unknown column. */
struct str search_value(const struct search_index *index, uint32_t row, struct str column);
/* Name of the i-th column of the rows; NULL ptr past the end. */
struct str search_column_name(const struct search_index *index, size_t i);
const struct search_table_config *search_index_config(const struct search_index *index);

#endif
