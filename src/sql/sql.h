/* sql/sql.h: statement text to statement struct, and Spark's SELECT spellings to DuckDB's.  Pure text: no I/O, no engine.
 *
 * SELECT bodies are not parsed here beyond their tokens: the engine does that.  Everything else has a grammar of ours.
 * Texts in the structs are views of the input or live in the arena.  Positions are byte offsets into the input.
 */
#ifndef VARVE_SQL_H
#define VARVE_SQL_H

#include "base/base.h"
#include "delta/delta.h"

enum statement_kind {
#define STATEMENT(ID, NAME, WORDS, SYNTAX, WHAT, PRIVILEGE) STATEMENT_##ID,
#include "sql/statements.def"
#undef STATEMENT
    STATEMENT_COUNT
};
struct statement_info {
    const char *name, *words, *syntax, *what, *privilege;
};
const struct statement_info *statement_info(enum statement_kind kind);

/* ---- tokens --------------------------------------------------------------------------- */

enum sql_token_kind { SQL_END, SQL_WORD, SQL_QUOTED /* "x" or `x` */, SQL_STRING, SQL_NUMBER, SQL_PARAM, SQL_SYMBOL, SQL_ERROR };
struct sql_token {
    enum sql_token_kind kind;
    size_t start, end; /* byte range */
};
/* The token at or after `at`, skipping blanks (Unicode's too) and comments (--, nested slash-star).  Unterminated ones are SQL_ERROR and reach to the
 * end; so is a byte that begins no token. Dollar-quoted strings ($$…$$) and E'', X'', B'', N'' strings are strings. Symbols are cut as the
 * engine cuts them: "->>", "::", ">>" are one. */
struct sql_token sql_token_at(struct str text, size_t at);
/* Splits a script: finds the end of the statement that starts at *at (a ';' outside of quotes and comments; inside of brackets too, where none can
 * stand, so that a forgotten bracket does not swallow the rest) and returns its text without the ';', from its first token to its last; *at moves
 * past the ';'.  false when nothing but blanks, comments and ';' is left. *complete is false when the text ends inside a quote or comment, or without
 * ';' (the shell then reads another line). */
bool sql_next_statement(struct str script, size_t *at, struct str *statement, bool *complete);
/* All key words of the dialect, sorted, for completion and \h. */
const char *const *sql_keywords(size_t *count);

/* ---- names ------------------------------------------------------------------------------- */

/* `a.b.c`, or delta.`/path` (is_path: two parts, of which the first is delta; table holds the path).  A version suffix t@v12 or t@20240102030405000,
 * inside of backticks too, and VERSION | TIMESTAMP AS OF are parsed off into `at`; statements that change a table refuse them. Of a schema's name,
 * .table is the schema and .schema the catalog. */
enum sql_at_kind { SQL_AT_NONE, SQL_AT_VERSION, SQL_AT_TIMESTAMP };
struct sql_at {
    enum sql_at_kind kind;
    int64_t version;
    struct str expr; /* TIMESTAMP: constant expression in DuckDB's SQL */
};
struct sql_name {
    struct str catalog, schema, table; /* NULL ptr when not given; unquoted text */
    bool is_path;
    struct sql_at at;
    size_t offset;
};

/* ---- statements -------------------------------------------------------------------------------- */

struct sql_column {
    struct str name;
    struct delta_type *type;
    bool nullable;
    struct str comment; /* NULL ptr */
    struct str after;   /* ADD COLUMN … AFTER x; NULL ptr */
    bool first;         /* ADD COLUMN … FIRST */
    struct str *path;   /* ADD COLUMN a.b.c: parents a, b */
    uint32_t path_depth;
    size_t offset;
    struct str declared;                /* "varchar(10)", "char(5)" when the type is one of these; NULL ptr */
    struct str default_text, generated; /* DEFAULT expression, GENERATED ALWAYS AS (expression): Spark SQL as written; NULL ptr */
    bool identity, identity_by_default;
    int64_t identity_start, identity_step;
};
/* CONSTRAINT name CHECK (expression).  One without a name gets one: check_1, check_2, … */
struct sql_constraint {
    struct str name, text;
    size_t offset; /* of text */
};
/* a.b.c: the column c inside of b inside of a. */
struct sql_path {
    struct str *parts;
    uint32_t depth;
    size_t offset;
};
enum sql_change_kind {
    SQL_CHANGE_TYPE,
    SQL_CHANGE_COMMENT,
    SQL_CHANGE_PLACE,
    SQL_CHANGE_SET_NOT_NULL,
    SQL_CHANGE_DROP_NOT_NULL,
    SQL_CHANGE_SET_DEFAULT,
    SQL_CHANGE_DROP_DEFAULT,
    SQL_CHANGE_SYNC_IDENTITY
};
/* One change of one column: ALTER COLUMN may have several. */
struct sql_column_change {
    enum sql_change_kind kind;
    struct sql_path path;
    struct delta_type *type;
    struct str text; /* comment (NULL ptr: none any more), default */
    bool first;
    struct str after; /* NULL ptr */
    size_t offset;
};
enum sql_alter_kind {
    SQL_ALTER_SET_PROPERTIES,
    SQL_ALTER_UNSET_PROPERTIES,
    SQL_ALTER_ADD_COLUMNS,
    SQL_ALTER_REPLACE_COLUMNS,
    SQL_ALTER_CHANGE_COLUMNS,
    SQL_ALTER_RENAME_COLUMN, /* paths[0], new_name.table */
    SQL_ALTER_DROP_COLUMNS,  /* paths */
    SQL_ALTER_ADD_CONSTRAINT,
    SQL_ALTER_DROP_CONSTRAINT, /* constraints[0].name */
    SQL_ALTER_DROP_FEATURE,    /* feature */
    SQL_ALTER_RENAME_TABLE,    /* new_name */
    SQL_ALTER_SET_LOCATION,
    SQL_ALTER_CLUSTER_BY,    /* paths: none for CLUSTER BY NONE */
    SQL_ALTER_COMMENT,       /* COMMENT ON TABLE: comment */
    SQL_ALTER_SCHEMA_COMMENT /* COMMENT ON SCHEMA: comment */
};
enum sql_file_format { SQL_CSV, SQL_JSON, SQL_PARQUET };

/* What a statement does to rows that are there.  Expressions are views of the statement's text, so that their places are known. */
struct sql_assignment {
    struct str *path; /* column, or a field inside of one; the target's alias may stand before it */
    uint32_t depth;
    struct str value; /* NULL ptr: DEFAULT */
    size_t offset;
};
enum sql_merge_when { SQL_MERGE_MATCHED, SQL_MERGE_NOT_MATCHED, SQL_MERGE_NOT_MATCHED_BY_SOURCE };
enum sql_merge_then { SQL_MERGE_UPDATE, SQL_MERGE_DELETE, SQL_MERGE_INSERT };
struct sql_merge_clause {
    enum sql_merge_when when;
    enum sql_merge_then then;
    struct str condition; /* NULL ptr: always */
    bool all;             /* UPDATE SET *, INSERT *: columns meet by name */
    struct str *except;   /* all: but these */
    uint32_t except_count;
    struct sql_assignment *assignments; /* UPDATE; INSERT (column, …) VALUES (value, …) */
    uint32_t assignment_count;
    size_t offset;
};
struct sql_change {
    struct str with;                    /* WITH name AS (…), … before the statement; NULL ptr */
    struct str alias;                   /* of the target; NULL ptr */
    struct str condition;               /* WHERE of DELETE, UPDATE, OPTIMIZE, REORG and INSERT … REPLACE WHERE, ON of MERGE; NULL ptr: none */
    struct sql_assignment *assignments; /* UPDATE */
    uint32_t assignment_count;
    struct str source;       /* MERGE: what stands behind USING, its alias and column names included */
    struct str source_alias; /* by which its columns are called */
    bool source_is_table;
    bool schema_evolution;
    struct sql_merge_clause *clauses;
    uint32_t clause_count;
    struct sql_at restore_to;
    bool dry_run; /* RESTORE, VACUUM */
};
struct sql_vacuum {
    bool lite;
    int64_t retain_ms; /* -1: not given */
};

/* A session variable, a parameter or a column of a function, a value for a parameter. */
struct sql_variable {
    struct str name;         /* NULL ptr: by position */
    struct delta_type *type; /* NULL: that of the value */
    struct str value;        /* expression; NULL ptr: DEFAULT, or none */
    size_t offset;
};
struct sql_function {
    struct sql_variable *parameters, *columns; /* columns: of a function that returns a table; none: those of its query */
    uint32_t parameter_count, column_count;
    struct delta_type *returns; /* NULL: the type of the expression */
    bool returns_table;
};

/* What CREATE TABLE takes over from another table. */
enum sql_copy_kind {
    SQL_COPY_NONE,
    SQL_COPY_DEFINITION, /* LIKE */
    SQL_COPY_SHALLOW,    /* SHALLOW CLONE: the new table refers to the other's files */
    SQL_COPY_DEEP        /* [DEEP] CLONE: it has copies of them */
};

struct statement {
    enum statement_kind kind;
    struct str text;      /* the whole statement */
    struct sql_name name; /* table or schema (schema statements: in .table); SHOW ALL TABLES: if_exists is set and there is no name */
    bool if_exists, if_not_exists, or_replace, cascade, extended, analyze, overwrite;
    bool replace_only;         /* REPLACE TABLE: or_replace is set too, but the table must exist */
    bool by_name;              /* INSERT … BY NAME: columns meet by name, not by position */
    bool no_statistics;        /* CONVERT */
    bool replace_on;           /* INSERT … REPLACE ON change.condition: rows that it joins to rows of the query go */
    struct str *replace_using; /* INSERT … REPLACE USING (column, …): rows with the values of a row of the query go */
    uint32_t replace_using_count;
    enum sql_copy_kind copy; /* CREATE TABLE … LIKE, CLONE */
    struct sql_name source;
    struct sql_column *columns;
    uint32_t column_count;
    struct str *partition_columns;
    uint32_t partition_column_count;
    struct str location, comment;      /* NULL ptr when absent */
    struct delta_property *properties; /* TBLPROPERTIES; UNSET: keys only; COPY INTO: COPY_OPTIONS; INSERT: WITH/OPTIONS if given; SET: one */
    uint32_t property_count;
    struct delta_property *format_options;
    uint32_t format_option_count;
    enum sql_file_format file_format;
    enum sql_alter_kind alter;
    struct sql_constraint *constraints; /* CREATE TABLE, ADD and DROP CONSTRAINT */
    uint32_t constraint_count;
    struct sql_column_change *changes; /* ALTER COLUMN */
    uint32_t change_count;
    struct sql_path *paths; /* RENAME and DROP COLUMN, CLUSTER BY, ZORDER BY */
    uint32_t path_count;
    bool cluster_by; /* CREATE TABLE … CLUSTER BY */
    struct sql_name new_name;
    struct str feature;         /* DROP FEATURE */
    bool truncate_history;      /* … TRUNCATE HISTORY */
    struct str *insert_columns; /* NULL: all in order */
    uint32_t insert_column_count;
    struct str query;    /* the SELECT body of SELECT, EXPLAIN, INSERT, CTAS; COPY INTO: the FROM path; NULL ptr when none */
    size_t query_offset; /* of query in text */
    struct sql_change change;
    struct sql_vacuum vacuum;
    struct sql_variable *variables; /* DECLARE, SET VARIABLE, DROP VARIABLE; EXECUTE: USING */
    uint32_t variable_count;
    struct sql_variable *targets; /* EXECUTE … INTO */
    uint32_t target_count;
    struct sql_function *function; /* CREATE FUNCTION; query is its body */
    bool temporary;
    bool immediate;     /* EXECUTE IMMEDIATE: query is an expression; else name.table is that of a prepared statement, PREPARE: query the statement */
    struct str tail;    /* DESCRIBE … WHERE …: what would stand behind FROM (DESCRIBE …); NULL ptr */
    struct str pattern; /* LIKE of SHOW; NULL ptr */
    int64_t limit;      /* -1 none */
};
/* Parses one statement.  SYNTAX errors have the position, what was expected, and a hint (nearest statement, or the right spelling). Statements known
 * to Spark or DuckDB but not built here (GRANT, ANALYZE…) are NOT_SUPPORTED naming the statement. */
enum status sql_parse(struct arena *arena, struct str text, struct statement *out, struct error *err);

/* The columns that must be equal wherever the condition is true: its conjuncts of the form a.x = b.y.  Texts are views or in the arena. */
struct sql_equality {
    struct str left_qualifier, left, right_qualifier, right; /* qualifiers: NULL ptr when not given */
};
enum status sql_equalities(struct arena *arena, struct str condition, struct sql_equality **out, uint32_t *count, struct error *err);

/* ---- SELECT text ------------------------------------------------------------------------------------ */

/* Text with a map back to where each part came from.  A position inside of an edit stands for the same place in its input range when both have one
 * length, else for the start of it; behind an edit the texts go on equal from out_end and in_end. Input ranges may overlap: a clause that moved
 * behind an alias points back before it. */
struct sql_edit {
    size_t out_start, out_end; /* range in the new text */
    size_t in_start, in_end;   /* range it stands for in the old text */
};
struct sql_text {
    struct str text;
    struct sql_edit *edits; /* in order; between edits the texts are equal */
    size_t edit_count;
};
size_t sql_text_origin(const struct sql_text *t, size_t position); /* position in the new text -> position in the old */

/* Rewrites Spark spellings to DuckDB's: `x` -> "x"; t VERSION AS OF n [AS] a -> t a AT (VERSION => n); TIMESTAMP AS OF e likewise, FOR
 * SYSTEM_VERSION/SYSTEM_TIME too; t@v12, t@yyyyMMddHHmmssSSS; delta.`/path` -> delta."/path".  VERSION AS OF 'text' that is no number is an error
 * whose hint says TIMESTAMP AS OF (decision T2). */
enum status sql_to_engine(struct arena *arena, struct str query, struct sql_text *out, struct error *err);

/* An expression as a table's metadata holds it (constraint, generated column, default: Spark SQL), in the engine's spelling.  schema (may be NULL)
 * has the columns that it can name: what stands in double quotes and is none of them is a text. */
enum status sql_expression_to_engine(struct arena *arena, struct str expression, const struct delta_type *schema, struct str *out, struct error *err);
/* The values of a query that is nothing but VALUES (…), (…): what each is by the look of it. */
enum sql_value_kind { SQL_VALUE_DEFAULT /* the key word */, SQL_VALUE_NULL, SQL_VALUE_TEXT /* one text literal */, SQL_VALUE_OTHER };
struct sql_value {
    uint32_t row, column;
    size_t start, end; /* in the query */
    enum sql_value_kind kind;
};
/* count is 0 when the query is of another form, when its rows are not of one width, or when no column has DEFAULT, or texts beside values of another
 * kind: then there is nothing that INSERT has to look into. */
struct sql_values {
    uint32_t rows, columns;
    struct sql_value *items; /* row by row */
    size_t count;
};
enum status sql_read_values(struct arena *arena, struct str query, struct sql_values *out, struct error *err);
/* The query with the replacements (in order, some may be NULL ptr: as it was), one per value. */
enum status sql_replace_values(struct arena *arena, struct str query, const struct sql_values *values, const struct str *replacements,
                               struct sql_text *out, struct error *err);

/* Whether such an expression may name the column (of the table's top level); names with doubled quotes in them are not looked into. */
bool sql_expression_names(struct str expression, struct str column);

/* In text produced by sql_to_engine: the byte ranges that make up the reference whose first name part starts at offset. */
struct sql_ref_extent {
    size_t name_start, name_end; /* catalog.schema.table */
    size_t at_start, at_end;     /* AT (…) clause, equal when there is none */
    struct sql_at at;            /* its meaning */
};
enum status sql_ref_extent(struct str text, size_t offset, struct sql_ref_extent *out, struct error *err);

/* table_changes('name', from[, to]) and table_changes_by_path('path', from[, to]), in text produced by sql_to_engine: versions are numbers,
 * everything else is a time. */
struct sql_changes {
    size_t start, end; /* of the call */
    struct sql_name name;
    struct sql_at from, to; /* to.kind SQL_AT_NONE: the newest version */
};
enum status sql_changes_call(struct arena *arena, struct str text, size_t offset, struct sql_changes *out, struct error *err);

/* A name as it stands in the engine's spelling of a query, with the arguments when it is a call: what may be a variable or a function. */
enum { SQL_CALLED_PARTS = 4 };
struct sql_called {
    struct str parts[SQL_CALLED_PARTS]; /* unquoted */
    size_t part_ends[SQL_CALLED_PARTS];
    uint32_t part_count;
    struct sql_variable *arguments; /* name => value */
    uint32_t argument_count;
    size_t start, end; /* the whole name or call */
    bool is_call, has_alias;
};
enum status sql_read_called(struct arena *arena, struct str text, size_t offset, struct sql_called *out, struct error *err);
/* Whether text[start, end) is all of a column of the outermost SELECT, without a name of its own. */
bool sql_is_select_item(struct str text, size_t start, size_t end);
/* The body of a function with values in place of its parameters; out NULL ptr when that cannot be told from the tokens alone (the body has a query or
 * a lambda), or when a parameter with once[i] is there more than once. */
enum status sql_inline_parameters(struct arena *arena, struct str body, const struct sql_function *f, const struct str *values, const bool *once,
                                  struct str *out, struct error *err);
/* The statement with values for its parameters ?, $1 and :name; a value's `value` is a literal.  Every parameter needs one, and every value must be
 * used. */
enum status sql_bind_parameters(struct arena *arena, struct str statement, const struct sql_variable *values, uint32_t count, struct sql_text *out,
                                struct error *err);
/* How many parameters there are: the highest number, or all ? and names. */
bool sql_has_parameters(struct str statement);

/* Statements that can stand where a table can: (DESCRIBE HISTORY t LIMIT 3), which sql_to_engine spells as a call of SQL_STATEMENT_FUNCTION with the
 * statement as text, and table_history('t'), table_detail('t'), table_files('t').  The statement that the call stands for, in the arena. */
#define SQL_STATEMENT_FUNCTION "varve_statement"
struct sql_statement_call {
    size_t start, end; /* of the call */
    struct str statement;
    struct str schema; /* that plain names in it mean; NULL ptr: the session's */
};
enum status sql_statement_call(struct arena *arena, struct str text, size_t offset, struct sql_statement_call *out, struct error *err);

/* The same query without comments, with single blanks and upper-cased unquoted key words: a cache key that ignores layout. Strings and quoted names
 * untouched. */
enum status sql_normalize(struct str query, struct buf *out, struct error *err);

#endif
