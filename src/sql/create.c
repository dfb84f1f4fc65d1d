/* sql/create.c: CREATE and DROP of tables and schemas. */
#include "sql/sql_int.h"

/* ---- CREATE TABLE ------------------------------------------------------------------------ */

enum {
    CLAUSE_USING = 1,
    CLAUSE_PARTITIONED = 2,
    CLAUSE_LOCATION = 4,
    CLAUSE_COMMENT = 8,
    CLAUSE_PROPERTIES = 16,
    CLAUSE_OPTIONS = 32,
    CLAUSE_CLUSTER = 64
};

static const struct sql_refusal create_refusals[] = {
    {"CLUSTERED BY", "use PARTITIONED BY"},
    {"PARTITION BY", "write PARTITIONED BY (column, …)"},
    {"STORED", "tables are Delta tables: leave the clause out, or write USING DELTA"},
    {"ROW FORMAT", "tables are Delta tables: leave the clause out, or write USING DELTA"},
    {"SKEWED BY", NULL},
    {"DEFAULT COLLATION", NULL},
    {"TAGS", NULL},
    {"WITH ROW FILTER", NULL},
};

static enum status once(struct sql_parser *p, unsigned *seen, unsigned clause, const char *name)
{
    if (*seen & clause)
        return sql_mark(p->err, p->token.start, error_set(p->err, STATUS_SYNTAX, "%s is given twice", name));
    *seen |= clause;
    return STATUS_OK;
}

static enum status take_using(struct sql_parser *p)
{
    struct sql_parser start = *p;
    struct str format;
    enum status status = sql_take_name_part(p, "DELTA", &format);
    while (status == STATUS_OK && sql_take_symbol(p, "."))
        status = sql_take_name_part(p, "a format name", &format);
    if (status != STATUS_OK || str_ieq(format, STR("delta")))
        return status;
    error_set(p->err, STATUS_NOT_SUPPORTED, "tables in the format \"%.*s\" are not supported", STR_ARG(sql_shown(format)));
    error_hint(p->err, "write USING DELTA; files of other formats come in by COPY INTO");
    return sql_mark(p->err, start.token.start, STATUS_NOT_SUPPORTED);
}

/* One entry of PARTITIONED BY: `column`, or `column type`, which adds the column to the table. */
static enum status take_partition_column(struct sql_parser *p, struct statement *st)
{
    struct sql_column c = {.nullable = true, .offset = p->token.start};
    struct sql_token next = sql_peek(p);
    if (p->token.kind == SQL_WORD && sql_token_is_symbol(p->text, next, "("))
        return sql_refuse(p, "PARTITIONED BY with a function", "store its result in a column of its own, and partition by that column");
    st->partition_columns = sql_grow(p->arena, st->partition_columns, st->partition_column_count, sizeof *st->partition_columns);
    if (!st->partition_columns)
        return error_oom(p->err);
    enum status status = sql_take_name_part(p, "a column name", &c.name);
    if (status != STATUS_OK)
        return status;
    st->partition_columns[st->partition_column_count++] = c.name;
    if (sql_at_symbol(p, ",") || sql_at_symbol(p, ")"))
        return STATUS_OK;
    status = sql_take_type(p, &c.type);
    if (status == STATUS_OK && sql_take_word(p, "COMMENT"))
        status = sql_take_text(p, "the comment's text in quotes", &c.comment);
    st->columns = status == STATUS_OK ? sql_grow(p->arena, st->columns, st->column_count, sizeof *st->columns) : st->columns;
    if (status == STATUS_OK && !st->columns)
        return error_oom(p->err);
    if (status == STATUS_OK)
        st->columns[st->column_count++] = c;
    return status;
}

static enum status take_partitioned_by(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        status = take_partition_column(p, st);
        if (status == STATUS_OK && !sql_take_symbol(p, ","))
            return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
    }
    return status;
}

static enum status take_clause(struct sql_parser *p, struct statement *st, unsigned *seen, bool *found)
{
    enum status status;
    *found = true;
    if (sql_at_word(p, "USING")) {
        status = once(p, seen, CLAUSE_USING, "USING");
        sql_advance(p);
        return status == STATUS_OK ? take_using(p) : status;
    }
    if (sql_at_words(p, "PARTITIONED BY")) {
        status = once(p, seen, CLAUSE_PARTITIONED, "PARTITIONED BY");
        sql_take_words(p, "PARTITIONED BY");
        return status == STATUS_OK ? take_partitioned_by(p, st) : status;
    }
    if (sql_at_words(p, "CLUSTER BY")) {
        status = once(p, seen, CLAUSE_CLUSTER, "CLUSTER BY");
        sql_take_words(p, "CLUSTER BY");
        st->cluster_by = true;
        return status == STATUS_OK ? sql_take_path_list(p, &st->paths, &st->path_count) : status;
    }
    if (sql_at_word(p, "LOCATION")) {
        status = once(p, seen, CLAUSE_LOCATION, "LOCATION");
        sql_advance(p);
        return status == STATUS_OK ? sql_take_text(p, "a path in quotes", &st->location) : status;
    }
    if (sql_at_word(p, "COMMENT")) {
        status = once(p, seen, CLAUSE_COMMENT, "COMMENT");
        sql_advance(p);
        return status == STATUS_OK ? sql_take_text(p, "the comment's text in quotes", &st->comment) : status;
    }
    if (sql_at_word(p, "TBLPROPERTIES") || sql_at_word(p, "OPTIONS")) {
        bool options = sql_at_word(p, "OPTIONS");
        status = once(p, seen, options ? CLAUSE_OPTIONS : CLAUSE_PROPERTIES, options ? "OPTIONS" : "TBLPROPERTIES");
        sql_advance(p);
        return status == STATUS_OK ? sql_take_properties(p, false, &st->properties, &st->property_count) : status;
    }
    *found = false;
    if (sql_at_word(p, "WITH") && sql_token_is_symbol(p->text, sql_peek(p), "("))
        return sql_refuse(p, "CREATE TABLE … WITH (…)", "write TBLPROPERTIES ('key' = 'value')");
    return sql_refuse_any(p, "CREATE TABLE", create_refusals, VV_ARRAY_COUNT(create_refusals));
}

/* LIKE source, SHALLOW CLONE source AT …, [DEEP] CLONE source AT … */
static enum status take_copy(struct sql_parser *p, struct statement *st)
{
    if (sql_take_word(p, "LIKE"))
        st->copy = SQL_COPY_DEFINITION;
    else if (sql_take_words(p, "SHALLOW CLONE"))
        st->copy = SQL_COPY_SHALLOW;
    else if (sql_take_words(p, "DEEP CLONE") || sql_take_word(p, "CLONE"))
        st->copy = SQL_COPY_DEEP;
    if (st->copy == SQL_COPY_NONE)
        return STATUS_OK;
    return sql_take_table_version(p, true, &st->source);
}

/* The definition is the other table's: what can be said beside it. */
static enum status check_copy(struct sql_parser *p, const struct statement *st)
{
    const char *what = NULL;
    if (st->copy == SQL_COPY_NONE)
        return STATUS_OK;
    if (st->column_count || st->constraint_count)
        what = "columns";
    else if (st->partition_column_count)
        what = "PARTITIONED BY";
    else if (st->cluster_by)
        what = "CLUSTER BY";
    else if (st->query.ptr)
        what = "a query";
    else if (st->comment.ptr && st->copy != SQL_COPY_DEFINITION)
        what = "COMMENT";
    if (!what)
        return STATUS_OK;
    error_set(p->err, STATUS_SYNTAX, "%s cannot stand beside %s, which takes the definition from another table", what,
              st->copy == SQL_COPY_DEFINITION ? "LIKE" : "CLONE");
    error_hint(p->err, "TBLPROPERTIES and LOCATION can; everything else is changed by ALTER TABLE afterwards");
    return sql_mark(p->err, st->source.offset, STATUS_SYNTAX);
}

/* AS query, or a query right away. */
static enum status take_as(struct sql_parser *p, struct statement *st)
{
    bool as = sql_take_word(p, "AS");
    if (!as && !sql_at_query(p))
        return sql_finish(p);
    if (!sql_at_query(p))
        return sql_expected(p, "SELECT after AS");
    if (st->column_count) {
        error_set(p->err, STATUS_SYNTAX, "CREATE TABLE … AS takes its columns from the query, not from a list");
        error_hint(p->err, "cast the columns in the query, or create the table first and then INSERT");
        return sql_mark(p->err, st->columns[0].offset, STATUS_SYNTAX);
    }
    return sql_take_query(p, st);
}

static enum status check_create(struct sql_parser *p, const struct statement *st, bool external)
{
    const char *what = NULL, *hint = NULL;
    if (external && !st->location.ptr) {
        what = "CREATE EXTERNAL TABLE needs a LOCATION";
        hint = "add LOCATION 'path', or leave EXTERNAL out";
    } else if (st->location.ptr && !st->location.len) {
        what = "the LOCATION is empty";
        hint = "leave it out, or write LOCATION 'path'";
    } else if (st->or_replace && st->if_not_exists) {
        what = "OR REPLACE and IF NOT EXISTS exclude each other";
        hint = "keep one of them";
    } else if (st->cluster_by && st->partition_column_count) {
        what = "PARTITIONED BY and CLUSTER BY exclude each other";
        hint = "keep one of them";
    }
    if (!what)
        return STATUS_OK;
    error_set(p->err, STATUS_SYNTAX, "%s", what);
    error_hint(p->err, "%s", hint);
    return sql_mark(p->err, st->name.offset, STATUS_SYNTAX);
}

enum status sql_parse_create_table(struct sql_parser *p, struct statement *st)
{
    /* The leading words are behind the cursor: which of the forms was it? */
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    bool external = sql_at_words(&lead, "CREATE EXTERNAL"), found = true;
    unsigned seen = 0;
    st->replace_only = sql_at_word(&lead, "REPLACE");
    st->or_replace = st->replace_only || sql_at_words(&lead, "CREATE OR");
    enum status status = sql_take_if_not_exists(p, &st->if_not_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && sql_at_symbol(p, "(")) {
        struct sql_token next = sql_peek(p);
        if (!sql_token_is_word(p->text, next, "SELECT"))
            status = sql_take_columns(p, st);
    }
    if (status == STATUS_OK)
        status = take_copy(p, st);
    while (status == STATUS_OK && found)
        status = take_clause(p, st, &seen, &found);
    if (status == STATUS_OK)
        status = take_as(p, st);
    if (status == STATUS_OK)
        status = check_copy(p, st);
    return status == STATUS_OK ? check_create(p, st, external) : status;
}

/* ---- CONVERT TO DELTA ------------------------------------------------------------------------ */

/* The columns of PARTITIONED BY have types: nothing else says which they are. */
enum status sql_parse_convert(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, false, &st->name);
    bool partitioned = false;
    while (status == STATUS_OK) {
        if (!st->no_statistics && sql_take_words(p, "NO STATISTICS")) {
            st->no_statistics = true;
        } else if (!partitioned && sql_take_words(p, "PARTITIONED BY")) {
            partitioned = true;
            status = sql_take_columns(p, st);
        } else {
            break;
        }
    }
    for (uint32_t i = 0; i < st->column_count && status == STATUS_OK; i++)
        if (st->columns[i].default_text.ptr || st->columns[i].generated.ptr || st->columns[i].identity || st->constraint_count)
            return sql_mark(p->err, st->columns[i].offset,
                            error_set(p->err, STATUS_SYNTAX, "a partition column of CONVERT TO DELTA has a name, a type, NOT NULL and a COMMENT"));
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* ---- the others ---------------------------------------------------------------------------- */

enum status sql_parse_create_schema(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"LOCATION", "give the tables a LOCATION"},
                                                  {"MANAGED LOCATION", "give the tables a LOCATION"},
                                                  {"WITH DBPROPERTIES", NULL},
                                                  {"AUTHORIZATION", NULL}};
    enum status status = sql_take_if_not_exists(p, &st->if_not_exists);
    if (status == STATUS_OK)
        status = sql_take_schema(p, &st->name);
    if (status == STATUS_OK && sql_take_word(p, "COMMENT"))
        status = sql_take_text(p, "the comment's text in quotes", &st->comment);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "CREATE SCHEMA", refusals, VV_ARRAY_COUNT(refusals));
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_drop_schema(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status == STATUS_OK)
        status = sql_take_schema(p, &st->name);
    if (status != STATUS_OK)
        return status;
    st->cascade = sql_take_word(p, "CASCADE");
    if (!st->cascade)
        sql_take_word(p, "RESTRICT");
    return sql_finish(p);
}

enum status sql_parse_drop_table(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"PURGE", "a managed table's files go at once anyway"}, {"CASCADE", NULL}};
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "DROP TABLE", refusals, VV_ARRAY_COUNT(refusals));
    return status == STATUS_OK ? sql_finish(p) : status;
}
