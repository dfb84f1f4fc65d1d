/* sql/sql_int.h: what the files of this room share: a cursor over tokens and the pieces of grammar that several statements use. */
#ifndef VARVE_SQL_INT_H
#define VARVE_SQL_INT_H

#include "sql/sql.h"

/* ---- tokens ------------------------------------------------------------------------ */

/* Bytes of the white space that stands at `at` (ASCII, or one of the Unicode blanks that editors and web pages leave in pasted text); 0 for none. */
size_t sql_blank_at(struct str text, size_t at);
static inline struct str sql_token_text(struct str text, struct sql_token t) { return (struct str){text.ptr + t.start, t.end - t.start}; }
bool sql_token_is_word(struct str text, struct sql_token t, const char *word); /* unquoted, any case */
bool sql_token_is_symbol(struct str text, struct sql_token t, const char *symbol);

enum sql_keyword_class { SQL_KEYWORD_NONE, SQL_KEYWORD_FREE, SQL_KEYWORD_NO_TABLE /* cannot name a table or alias */, SQL_KEYWORD_RESERVED };
enum sql_keyword_class sql_keyword_class(struct str word);
static inline bool sql_cannot_name_table(struct str word) { return sql_keyword_class(word) >= SQL_KEYWORD_NO_TABLE; }

/* ---- errors ------------------------------------------------------------------------------ */

/* Puts the position into an error just set: return sql_mark(err, at, error_set(err, …)). */
static inline enum status sql_mark(struct error *err, size_t position, enum status code)
{
    if (err)
        err->position = (int64_t)position;
    return code;
}
/* The start of s that can be shown in a message: at most 40 bytes, whole characters. */
struct str sql_shown(struct str s);
/* "a string does not end" and the like, for an SQL_ERROR token. */
enum status sql_bad_token(struct str text, struct sql_token t, struct error *err);

/* ---- the cursor ------------------------------------------------------------------------------ */

struct sql_parser {
    struct arena *arena;
    struct str text;
    struct sql_token token; /* the one to be taken next */
    size_t last_end;        /* end of the one taken last */
    struct error *err;
};
struct sql_parser sql_parser_at(struct arena *arena, struct str text, size_t at, struct error *err);
void sql_advance(struct sql_parser *p);
struct sql_token sql_peek(const struct sql_parser *p); /* the token after p->token */
bool sql_at_word(const struct sql_parser *p, const char *word);
bool sql_at_words(const struct sql_parser *p, const char *words); /* several, separated by blanks */
bool sql_at_symbol(const struct sql_parser *p, const char *symbol);
bool sql_take_word(struct sql_parser *p, const char *word);
bool sql_take_words(struct sql_parser *p, const char *words); /* all or none */
bool sql_take_symbol(struct sql_parser *p, const char *symbol);
/* SYNTAX: expected `what`, found the token here. */
enum status sql_expected(struct sql_parser *p, const char *what);
enum status sql_expect_word(struct sql_parser *p, const char *word);
enum status sql_expect_symbol(struct sql_parser *p, const char *symbol);
/* NOT_SUPPORTED at the token here; hint may be NULL. */
enum status sql_refuse(struct sql_parser *p, const char *what, const char *hint);
/* Refuses when one of the rows' words stand here; `statement` (may be NULL) goes before them: "ALTER TABLE … RENAME TO is not supported". */
struct sql_refusal {
    const char *words, *hint;
};
enum status sql_refuse_any(struct sql_parser *p, const char *statement, const struct sql_refusal *rows, size_t count);
/* Nothing but ';' may follow. */
enum status sql_finish(struct sql_parser *p);
/* Moves past the bracket that closes the '(' '[' '{' here; SYNTAX when it is missing. */
enum status sql_skip_brackets(struct sql_parser *p);
/* Makes room for items[count]: the array doubles at powers of two. NULL when out of memory. */
void *sql_grow(struct arena *arena, void *items, uint32_t count, size_t item_bytes);

/* ---- pieces of grammar --------------------------------------------------------------------------- */

/* Text without its quotes: "a""b", `a``b`, 'it''s', E'\t', $$…$$. */
enum status sql_unquote(struct arena *arena, struct str quoted, struct str *out, struct error *err);
enum status sql_take_name_part(struct sql_parser *p, const char *what, struct str *out); /* any word, or a quoted name */
bool sql_at_text(const struct sql_parser *p);                                            /* '…', or Spark's "…" where only a text can stand */
enum status sql_take_text(struct sql_parser *p, const char *what, struct str *out);
enum status sql_take_i64(struct sql_parser *p, const char *what, int64_t *out); /* digits, not negative */
/* A table; with time travel (t@v3, t VERSION AS OF 3) where old versions can be read. */
enum status sql_take_table(struct sql_parser *p, bool with_path_text, struct sql_name *out);
enum status sql_take_table_version(struct sql_parser *p, bool with_path_text, struct sql_name *out);
enum status sql_take_schema(struct sql_parser *p, struct sql_name *out); /* in .table; a catalog before it in .schema */
enum status sql_take_if_not_exists(struct sql_parser *p, bool *out);
enum status sql_take_if_exists(struct sql_parser *p, bool *out);
/* ('key' = 'value', a.b.c = 1, …) appended. keys_only: ('key', …). */
enum status sql_take_properties(struct sql_parser *p, bool keys_only, struct delta_property **items, uint32_t *count);
/* (a, b, …) */
enum status sql_take_name_list(struct sql_parser *p, struct str **items, uint32_t *count);
/* Type text up to what ends it. */
enum status sql_take_type(struct sql_parser *p, struct delta_type **out);
/* (column type …, …) of CREATE TABLE, appended to st->columns. */
enum status sql_take_columns(struct sql_parser *p, struct statement *st);
/* column type … [FIRST | AFTER x] of ADD COLUMN. */
enum status sql_take_new_column(struct sql_parser *p, struct statement *st);
/* Words that stand behind a column's type: FIRST, AFTER, COMMENT, …  new_column: of ADD COLUMN. */
enum status sql_take_column_words(struct sql_parser *p, struct statement *st, bool new_column, struct sql_column *c);
/* a.b.c */
enum status sql_take_path(struct sql_parser *p, struct sql_path *out);
/* (a, b.c, …) appended. */
enum status sql_take_path_list(struct sql_parser *p, struct sql_path **items, uint32_t *count);
/* [CONSTRAINT name] CHECK (expression), appended. */
enum status sql_take_constraint(struct sql_parser *p, struct statement *st);
/* The text of an expression, up to a comma or bracket at its own level or a word that begins what may follow a column's default. */
enum status sql_take_default_text(struct sql_parser *p, struct str *out);
/* x, session.x, system.session.x. */
enum status sql_take_variable_name(struct sql_parser *p, struct str *out, size_t *offset);
/* Another one at the end of the list, its offset that of the cursor; NULL with the error set. */
struct sql_variable *sql_add_variable(struct sql_parser *p, struct sql_variable **items, uint32_t *count);
bool sql_at_query(const struct sql_parser *p);
/* The rest of the statement is a query. */
enum status sql_take_query(struct sql_parser *p, struct statement *st);

/* One expression, up to one of the stops outside of brackets and CASE … END, or the end; SYNTAX "expected `what`" when there is none. */
enum sql_stop {
    SQL_STOP_COMMA = 1,
    SQL_STOP_CLOSE = 2,
    SQL_STOP_WHERE = 4,
    SQL_STOP_WHEN = 8,
    SQL_STOP_THEN = 16,
    SQL_STOP_QUERY = 32,
    SQL_STOP_APPLY = 64,
    SQL_STOP_ZORDER = 128,
    SQL_STOP_BRACKETED_QUERY = 256 /* "(SELECT …" where no operator waits for it */
};
enum status sql_take_expression(struct sql_parser *p, const char *what, unsigned stops, struct str *out);
/* [AS] name of a table that is changed; NULL ptr when none is here, or when the word here is `next`. */
enum status sql_take_target_alias(struct sql_parser *p, const char *next, struct str *out);
/* path = expression | DEFAULT, … appended. */
enum status sql_take_assignments(struct sql_parser *p, unsigned stops, struct sql_assignment **items, uint32_t *count);
/* a.b.c as the target of a value. */
enum status sql_take_assignment_path(struct sql_parser *p, struct sql_assignment *out);
/* WITH …, … stands here and a statement that changes rows behind it: its kind, and p moves behind its leading words. */
bool sql_take_change_behind_with(struct sql_parser *p, struct statement *st);

/* ---- time travel ------------------------------------------------------------------------------------ */

struct sql_travel {
    size_t start, end; /* the clause or suffix */
    enum sql_at_kind kind;
    int64_t version;
    size_t expr_start, expr_end; /* TIMESTAMP: where the expression stands */
    struct str expr;             /* TIMESTAMP: text that takes its place; NULL ptr: the expression as it is */
};
/* [FOR] VERSION|SYSTEM_VERSION|TIMESTAMP|SYSTEM_TIME AS OF stands here. */
bool sql_at_travel(const struct sql_parser *p);
enum status sql_take_travel(struct sql_parser *p, struct sql_travel *out);
/* @v12 or @yyyyMMddHHmmssSSS right behind the name that ends at p->last_end. */
bool sql_at_suffix(const struct sql_parser *p);
enum status sql_take_suffix(struct sql_parser *p, struct sql_travel *out);
/* The same inside of a quoted name: length of the name without its suffix, or the whole length when it has none. */
size_t sql_suffix_start(struct str name);
enum status sql_read_suffix(struct arena *arena, struct str suffix, size_t position, struct sql_travel *out, struct error *err);
enum status sql_travel_meaning(struct sql_parser *p, const struct sql_travel *t, struct sql_at *out);
/* [AS] alias [(a, b)]: moves past it, false (nothing taken) when none is here. */
bool sql_take_alias(struct sql_parser *p);

/* ---- writing text with a map ------------------------------------------------------------------------- */

struct sql_call {
    size_t comma, close; /* of a call that is being spelled anew */
    const char *comma_text, *close_text;
    bool comma_is_last; /* comma_text stands for all that is left, the bracket too */
};
enum { SQL_CALLS_MAX = 8, SQL_LIST_DEPTH = 64, SQL_OUTPUT_MAX = 16 << 20 };
struct sql_writer {
    struct arena *arena;
    struct str in;
    struct buf out;
    struct sql_edit *edits;
    uint32_t edit_count;
    struct sql_call calls[SQL_CALLS_MAX]; /* open ones, innermost last */
    size_t call_count;
    struct sql_token before;             /* the last one that was copied */
    bool in_list[SQL_LIST_DEPTH];        /* by bracket depth: a select list is being written */
    size_t depth, form_depth;            /* of brackets; of calls that are written anew */
    bool too_deep;                       /* such calls stand too deep in each other */
    struct sql_token window, window_end; /* where the text calls window(…), once it was looked for */
    bool looked_for_window;
    bool in_clause;  /* of a LATERAL VIEW or window, which is written more than once: no other of them is looked for */
    bool unbalanced; /* a call without its end was seen: look for no more */
    bool failed;     /* out of memory */
};
/* Appends in[from, to), a whole number of tokens, in the engine's spelling: `x` as "x", Unicode blanks as blanks, current_timestamp()
 * without its brackets, date_sub(d, n) and date_add(d, 1) as differences and sums, paths into variants (v:a.b[0], variant_get) as subscripts.
 * Answers where it ended: beyond `to` when the last token began something that is written as a whole. */
size_t sql_write_range(struct sql_writer *w, size_t from, size_t to);
/* Appends the `quoted` name of token t, its inside only up to inner_end, in double quotes. */
void sql_write_name(struct sql_writer *w, struct sql_token t, size_t inner_end);
/* Spark's spellings around variants (variant.c).  Each is false, and nothing written, where none of them stands.
 * A path at the ':' token *t, which moves to the path's last token. before: the token before it. */
bool sql_write_variant_path(struct sql_writer *w, struct sql_token before, struct sql_token *t);
/* variant_get, try_variant_get, parse_json, try_parse_json, to_json: the head of the call. */
bool sql_write_variant_call(struct sql_writer *w, struct sql_token name, struct sql_token open);
/* (DESCRIBE …) and (SHOW …) where a table can stand, `open` being the bracket behind `before`: as a call; *t moves to the closing bracket. */
bool sql_write_statement(struct sql_writer *w, struct sql_token before, struct sql_token *t);
/* The end of the bracket at `open`; the number of commas at its own level and where the first two of them are. */
bool sql_call_extent(struct sql_writer *w, struct sql_token open, size_t *commas, struct sql_token comma[2], struct sql_token *close);
/* A call of one of Spark's functions that the engine spells in another way (call.c): moves *last to the last token written. */
bool sql_write_function(struct sql_writer *w, struct sql_token name, struct sql_token open, struct sql_token before, size_t to,
                        struct sql_token *last);
struct sql_token sql_closing_bracket(struct str in, struct sql_token open); /* SQL_END when there is none */
/* Operators, literals, types and clauses of Spark's that the engine spells in another way (spelling.c): moves *t to the last token written. */
bool sql_write_spelling(struct sql_writer *w, struct sql_token before, size_t to, struct sql_token *t);
/* The text could not be written whole: out of memory, or calls too deep in each other. */
enum status sql_writer_check(const struct sql_writer *w, struct error *err);
/* Appends text that stands for in[from, to). */
void sql_write_edit(struct sql_writer *w, struct str text, size_t from, size_t to);

/* ---- statement families --------------------------------------------------------------------------------- */

/* Each is called with the leading words taken; st->kind is set. */
enum status sql_parse_select(struct sql_parser *p, struct statement *st);
enum status sql_parse_explain(struct sql_parser *p, struct statement *st);
enum status sql_parse_create_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_convert(struct sql_parser *p, struct statement *st);
enum status sql_parse_create_schema(struct sql_parser *p, struct statement *st);
enum status sql_parse_drop_schema(struct sql_parser *p, struct statement *st);
enum status sql_parse_create_view(struct sql_parser *p, struct statement *st);
enum status sql_parse_drop_view(struct sql_parser *p, struct statement *st);
enum status sql_parse_drop_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_alter_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_comment_on(struct sql_parser *p, struct statement *st);
enum status sql_parse_insert(struct sql_parser *p, struct statement *st);
enum status sql_parse_copy_into(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_history(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_detail(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_tables(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_schemas(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_catalogs(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_columns(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_tblproperties(struct sql_parser *p, struct statement *st);
enum status sql_parse_cache_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_uncache_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_clear_cache(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_schema(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_partitions(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_create_table(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_current(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_files(struct sql_parser *p, struct statement *st);
enum status sql_parse_delete(struct sql_parser *p, struct statement *st);
enum status sql_parse_update(struct sql_parser *p, struct statement *st);
enum status sql_parse_merge(struct sql_parser *p, struct statement *st);
enum status sql_parse_truncate(struct sql_parser *p, struct statement *st);
enum status sql_parse_restore(struct sql_parser *p, struct statement *st);
enum status sql_parse_optimize(struct sql_parser *p, struct statement *st);
enum status sql_parse_reorg(struct sql_parser *p, struct statement *st);
enum status sql_parse_vacuum(struct sql_parser *p, struct statement *st);
enum status sql_parse_use(struct sql_parser *p, struct statement *st);
enum status sql_parse_set(struct sql_parser *p, struct statement *st);
enum status sql_parse_transaction(struct sql_parser *p, struct statement *st);
enum status sql_parse_declare(struct sql_parser *p, struct statement *st);
enum status sql_parse_set_variable(struct sql_parser *p, struct statement *st);
enum status sql_parse_drop_variable(struct sql_parser *p, struct statement *st);
enum status sql_parse_create_function(struct sql_parser *p, struct statement *st);
enum status sql_parse_drop_function(struct sql_parser *p, struct statement *st);
enum status sql_parse_show_functions(struct sql_parser *p, struct statement *st);
enum status sql_parse_describe_function(struct sql_parser *p, struct statement *st);
enum status sql_parse_prepare(struct sql_parser *p, struct statement *st);
enum status sql_parse_execute(struct sql_parser *p, struct statement *st);
enum status sql_parse_deallocate(struct sql_parser *p, struct statement *st);
enum status sql_parse_reset(struct sql_parser *p, struct statement *st);

#endif
