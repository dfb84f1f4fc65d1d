/* sql/column.c: column definitions of CREATE TABLE and ADD COLUMN. */
#include "sql/sql_int.h"

/* ---- types -------------------------------------------------------------------------- */

/* Words that end a type at its own level. */
static bool ends_type(const struct sql_parser *p)
{
    static const char *const words[] = {"NOT",   "NULL",           "COMMENT", "DEFAULT",    "GENERATED",     "FIRST",    "AFTER",
                                        "CHECK", "PRIMARY",        "UNIQUE",  "REFERENCES", "COLLATE",       "MASK",     "CONSTRAINT",
                                        "AS",    "AUTO_INCREMENT", "RETURN",  "LANGUAGE",   "DETERMINISTIC", "CONTAINS", "READS"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_at_word(p, words[i]))
            return true;
    return false;
}

/* Moves past the type. Its end: ',' ')' or one of the words above, outside of <> () []. */
static enum status skip_type(struct sql_parser *p)
{
    int64_t depth = 0;
    size_t start = p->token.start;
    if (p->token.kind != SQL_WORD || ends_type(p))
        return sql_expected(p, "a column type");
    while (p->token.kind != SQL_END && !(depth == 0 && ends_type(p))) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (p->token.kind == SQL_SYMBOL) {
            struct str s = sql_token_text(p->text, p->token);
            char first = s.ptr[0];
            if (depth <= 0 && (first == ',' || first == ')' || first == ';' || first == '='))
                break;
            depth += first == '(' || first == '[';
            depth -= first == ')' || first == ']';
            for (size_t i = 0; i < s.len; i++)
                depth += (s.ptr[i] == '<') - (s.ptr[i] == '>');
        }
        sql_advance(p);
    }
    return p->last_end > start ? STATUS_OK : sql_expected(p, "a column type");
}

/* The type reader knows no comments: blanks stand for them, so that positions stay. */
static enum status blank_comments(struct sql_parser *p, size_t start, struct str *slice)
{
    size_t end = start + slice->len, at = start;
    char *copy = NULL;
    for (struct sql_token t = sql_token_at(p->text, start); at < end; t = sql_token_at(p->text, at)) {
        for (size_t i = at; i < t.start && i < end; i++) {
            if (strchr(" \t\r\n", p->text.ptr[i]) && p->text.ptr[i])
                continue;
            if (!copy && !(copy = arena_dup(p->arena, slice->ptr, slice->len)))
                return error_oom(p->err);
            copy[i - start] = ' ';
        }
        at = t.end;
    }
    if (copy)
        slice->ptr = copy;
    return STATUS_OK;
}

enum status sql_take_type(struct sql_parser *p, struct delta_type **out)
{
    size_t start = p->token.start;
    enum status status = skip_type(p);
    struct str slice = str_sub(p->text, start, p->last_end - start);
    if (status == STATUS_OK)
        status = blank_comments(p, start, &slice);
    if (status != STATUS_OK)
        return status;
    status = delta_type_from_sql(p->arena, slice, out, p->err);
    if (status != STATUS_OK && p->err)
        p->err->position = (int64_t)start + (p->err->position > 0 ? p->err->position : 0);
    return status;
}

/* ---- texts of expressions ----------------------------------------------------------------- */

static bool ends_default(const struct sql_parser *p)
{
    static const char *const words[] = {"COMMENT",     "FIRST",  "AFTER",      "GENERATED", "CONSTRAINT", "CHECK",
                                        "PRIMARY KEY", "UNIQUE", "REFERENCES", "MASK",      "NOT NULL"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_at_words(p, words[i]))
            return true;
    return false;
}

enum status sql_take_default_text(struct sql_parser *p, struct str *out)
{
    size_t start = p->token.start, end = start;
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ",") && !sql_at_symbol(p, ")") && !sql_at_symbol(p, ";") && !ends_default(p)) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (sql_at_symbol(p, "(") || sql_at_symbol(p, "[")) {
            enum status status = sql_skip_brackets(p);
            if (status != STATUS_OK)
                return status;
        } else {
            sql_advance(p);
        }
        end = p->last_end;
    }
    *out = str_sub(p->text, start, end - start);
    return end > start ? STATUS_OK : sql_expected(p, "a value after DEFAULT");
}

/* (expression): the text between the brackets. */
static enum status take_bracketed(struct sql_parser *p, const char *what, struct str *out, size_t *offset)
{
    size_t start = p->token.end;
    if (!sql_at_symbol(p, "("))
        return sql_expected(p, what);
    enum status status = sql_skip_brackets(p);
    if (status != STATUS_OK)
        return status;
    struct str inner = str_sub(p->text, start, p->last_end - 1 - start);
    struct sql_token first = sql_token_at(inner, 0);
    *offset = start + first.start;
    *out = str_trim(str_sub(inner, first.start, inner.len - first.start));
    if (first.kind != SQL_END)
        return STATUS_OK;
    error_set(p->err, STATUS_SYNTAX, "the expression is empty");
    return sql_mark(p->err, start, STATUS_SYNTAX);
}

enum status sql_take_constraint(struct sql_parser *p, struct statement *st)
{
    struct sql_constraint c = {0};
    enum status status = STATUS_OK;
    st->constraints = sql_grow(p->arena, st->constraints, st->constraint_count, sizeof *st->constraints);
    if (!st->constraints)
        return error_oom(p->err);
    if (sql_take_word(p, "CONSTRAINT"))
        status = sql_take_name_part(p, "a constraint's name", &c.name);
    else if (!(c.name = str_of(arena_printf(p->arena, "check_%u", st->constraint_count + 1))).ptr)
        return error_oom(p->err);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "CHECK");
    if (status == STATUS_OK)
        status = take_bracketed(p, "the condition in brackets", &c.text, &c.offset);
    if (status == STATUS_OK)
        st->constraints[st->constraint_count++] = c;
    return status;
}

/* ---- columns ------------------------------------------------------------------------------ */

static const struct sql_refusal column_refusals[] = {
    {"AS", "write GENERATED ALWAYS AS (expression)"},
    {"PRIMARY KEY", "remove the duplicates in the INSERT"},
    {"UNIQUE", "remove the duplicates in the INSERT"},
    {"REFERENCES", NULL},
    {"COLLATE", NULL},
    {"MASK", NULL},
    {"AUTO_INCREMENT", "write GENERATED BY DEFAULT AS IDENTITY"},
};

static enum status given_twice(struct sql_parser *p, const char *what)
{
    return sql_mark(p->err, p->token.start, error_set(p->err, STATUS_SYNTAX, "%s is given twice", what));
}

static enum status take_signed(struct sql_parser *p, const char *what, int64_t *out)
{
    size_t start = p->token.start;
    if (!sql_take_symbol(p, "-"))
        sql_take_symbol(p, "+");
    struct str digits = sql_token_text(p->text, p->token);
    struct str all = str_sub(p->text, start, p->token.end - start);
    if (p->token.kind != SQL_NUMBER)
        return sql_expected(p, what);
    bool ok = all.ptr[0] == '-' && all.len == digits.len + 1 ? str_to_i64(all, out) : str_to_i64(digits, out);
    if (!ok)
        return sql_mark(p->err, start, error_set(p->err, STATUS_SYNTAX, "%.*s is not a BIGINT", STR_ARG(sql_shown(all))));
    if (all.ptr[0] == '-' && all.len != digits.len + 1)
        *out = -*out;
    sql_advance(p);
    return STATUS_OK;
}

/* [(START WITH n INCREMENT BY m)], either part left out, a comma between them allowed. */
static enum status take_identity_options(struct sql_parser *p, struct sql_column *c)
{
    c->identity = true;
    c->identity_start = c->identity_step = 1;
    if (!sql_take_symbol(p, "("))
        return STATUS_OK;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !sql_take_symbol(p, ")")) {
        if (sql_take_words(p, "START WITH"))
            status = take_signed(p, "the first value", &c->identity_start);
        else if (sql_take_words(p, "INCREMENT BY"))
            status = take_signed(p, "the step", &c->identity_step);
        else
            status = sql_expected(p, "START WITH, INCREMENT BY or \")\"");
        if (status == STATUS_OK && !c->identity_step)
            status = sql_mark(p->err, p->last_end - 1, error_set(p->err, STATUS_SYNTAX, "INCREMENT BY must not be 0"));
        sql_take_symbol(p, ",");
    }
    return status;
}

/* GENERATED ALWAYS AS (expression) | GENERATED {ALWAYS | BY DEFAULT} AS IDENTITY … */
static enum status take_generated(struct sql_parser *p, struct sql_column *c)
{
    size_t start = p->token.start, offset;
    sql_advance(p);
    c->identity_by_default = sql_take_words(p, "BY DEFAULT");
    enum status status = c->identity_by_default ? STATUS_OK : sql_expect_word(p, "ALWAYS");
    if (status == STATUS_OK)
        status = sql_expect_word(p, "AS");
    if (status != STATUS_OK)
        return status;
    if (!sql_take_word(p, "IDENTITY"))
        return c->identity_by_default ? sql_expected(p, "IDENTITY")
                                      : take_bracketed(p, "IDENTITY or an expression in brackets", &c->generated, &offset);
    if (c->type->id != DELTA_LONG) {
        error_set(p->err, STATUS_TYPE_MISMATCH, "identity column \"%.*s\" must be BIGINT", STR_ARG(sql_shown(c->name)));
        return sql_mark(p->err, start, STATUS_TYPE_MISMATCH);
    }
    return take_identity_options(p, c);
}

static enum status take_place(struct sql_parser *p, struct sql_column *c)
{
    if (c->first || c->after.ptr)
        return given_twice(p, "the column's place");
    c->first = sql_take_word(p, "FIRST");
    return c->first ? STATUS_OK : (sql_advance(p), sql_take_name_part(p, "a column name", &c->after));
}

static enum status take_comment(struct sql_parser *p, struct sql_column *c)
{
    if (c->comment.ptr)
        return given_twice(p, "COMMENT");
    sql_advance(p);
    return sql_take_text(p, "the comment's text in quotes", &c->comment);
}

static enum status take_default(struct sql_parser *p, bool new_column, struct sql_column *c)
{
    if (new_column)
        return sql_refuse(p, "DEFAULT in ADD COLUMN",
                          "add the column, then write ALTER TABLE … ALTER COLUMN … SET DEFAULT: rows that are there keep NULL");
    if (c->default_text.ptr)
        return given_twice(p, "DEFAULT");
    sql_advance(p);
    return sql_take_default_text(p, &c->default_text);
}

static enum status check_one_source(struct sql_parser *p, const struct sql_column *c)
{
    if ((c->default_text.ptr != NULL) + (c->generated.ptr != NULL) + c->identity <= 1)
        return STATUS_OK;
    error_set(p->err, STATUS_SYNTAX, "column \"%.*s\" can have only one of DEFAULT, GENERATED … AS (…) and IDENTITY", STR_ARG(sql_shown(c->name)));
    return sql_mark(p->err, c->offset, STATUS_SYNTAX);
}

enum status sql_take_column_words(struct sql_parser *p, struct statement *st, bool new_column, struct sql_column *c)
{
    for (;;) {
        enum status status = STATUS_OK;
        if (sql_at_words(p, "NOT NULL") && new_column) {
            return sql_refuse(p, "NOT NULL in ADD COLUMN", "the rows that are there already have no value for a new column");
        } else if (sql_take_word(p, "NOT")) {
            status = sql_expect_word(p, "NULL");
            c->nullable = false;
        } else if (sql_at_word(p, "COMMENT")) {
            status = take_comment(p, c);
        } else if (new_column && (sql_at_word(p, "FIRST") || sql_at_word(p, "AFTER"))) {
            status = take_place(p, c);
        } else if (sql_at_word(p, "DEFAULT")) {
            status = take_default(p, new_column, c);
        } else if (sql_at_word(p, "GENERATED")) {
            status = new_column ? sql_refuse(p, "GENERATED in ADD COLUMN", "the rows that are there already have no value for a new column")
                                : take_generated(p, c);
        } else if (!new_column && (sql_at_word(p, "CHECK") || sql_at_word(p, "CONSTRAINT"))) {
            status = sql_take_constraint(p, st);
        } else if (!sql_take_word(p, "NULL")) {
            status = check_one_source(p, c);
            return status == STATUS_OK ? sql_refuse_any(p, NULL, column_refusals, VV_ARRAY_COUNT(column_refusals)) : status;
        }
        if (status != STATUS_OK)
            return status;
    }
}

static enum status push_column(struct sql_parser *p, struct statement *st, const struct sql_column *c)
{
    st->columns = sql_grow(p->arena, st->columns, st->column_count, sizeof *st->columns);
    if (!st->columns)
        return error_oom(p->err);
    st->columns[st->column_count++] = *c;
    return STATUS_OK;
}

/* CHECK (…) or CONSTRAINT name CHECK (…) between the columns; a column may still be called "check". */
static bool at_table_constraint(const struct sql_parser *p)
{
    struct sql_token next = sql_peek(p);
    if (sql_at_word(p, "CHECK"))
        return sql_token_is_symbol(p->text, next, "(");
    return sql_at_word(p, "CONSTRAINT") && sql_token_is_word(p->text, sql_token_at(p->text, next.end), "CHECK");
}

/* PRIMARY KEY (…) and the like between the columns. */
static enum status refuse_table_constraint(struct sql_parser *p)
{
    static const struct sql_refusal rows[] = {{"PRIMARY KEY", "remove the duplicates in the INSERT"}, {"FOREIGN KEY", NULL}};
    struct sql_token next = sql_peek(p);
    if (sql_token_is_symbol(p->text, next, "(") && sql_at_word(p, "UNIQUE"))
        return sql_refuse(p, "UNIQUE", "remove the duplicates in the INSERT");
    if (next.kind == SQL_WORD && sql_at_word(p, "CONSTRAINT")) {
        struct sql_token third = sql_token_at(p->text, next.end);
        if (third.kind == SQL_WORD && !sql_token_is_word(p->text, third, "NOT") && !sql_token_is_word(p->text, third, "COMMENT"))
            return sql_refuse(p, "CONSTRAINT without CHECK", "write CONSTRAINT name CHECK (condition)");
    }
    return sql_refuse_any(p, "CREATE TABLE", rows, VV_ARRAY_COUNT(rows));
}

/* VARCHAR(n) and CHAR(n) keep their length: it is part of what the column promises. */
static void note_length(struct sql_parser *p, size_t start, struct sql_column *c)
{
    struct sql_token word = sql_token_at(p->text, start), open = sql_token_at(p->text, word.end), number = sql_token_at(p->text, open.end);
    bool varchar = sql_token_is_word(p->text, word, "VARCHAR"),
         fixed = sql_token_is_word(p->text, word, "CHAR") || sql_token_is_word(p->text, word, "CHARACTER");
    if ((!varchar && !fixed) || c->type->id != DELTA_STRING || !sql_token_is_symbol(p->text, open, "(") || number.kind != SQL_NUMBER)
        return;
    c->declared = str_of(arena_printf(p->arena, "%s(%.*s)", varchar ? "varchar" : "char", STR_ARG(sql_token_text(p->text, number))));
}

static enum status take_column(struct sql_parser *p, struct statement *st)
{
    struct sql_column c = {.nullable = true, .offset = p->token.start};
    if (at_table_constraint(p))
        return sql_take_constraint(p, st);
    enum status status = refuse_table_constraint(p);
    if (status == STATUS_OK)
        status = sql_take_name_part(p, "a column name", &c.name);
    if (status == STATUS_OK)
        sql_take_symbol(p, ":");
    size_t type_start = p->token.start;
    if (status == STATUS_OK)
        status = sql_take_type(p, &c.type);
    if (status == STATUS_OK) {
        note_length(p, type_start, &c);
        status = sql_take_column_words(p, st, false, &c);
    }
    return status == STATUS_OK ? push_column(p, st, &c) : status;
}

enum status sql_take_columns(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        status = take_column(p, st);
        if (status == STATUS_OK && !sql_take_symbol(p, ","))
            return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
    }
    return status;
}

enum status sql_take_path(struct sql_parser *p, struct sql_path *out)
{
    *out = (struct sql_path){.offset = p->token.start};
    do {
        out->parts = sql_grow(p->arena, out->parts, out->depth, sizeof *out->parts);
        if (!out->parts)
            return error_oom(p->err);
        enum status status = sql_take_name_part(p, out->depth ? "a name after \".\"" : "a column name", &out->parts[out->depth]);
        if (status != STATUS_OK)
            return status;
        out->depth++;
    } while (sql_take_symbol(p, "."));
    return STATUS_OK;
}

enum status sql_take_path_list(struct sql_parser *p, struct sql_path **items, uint32_t *count)
{
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        *items = sql_grow(p->arena, *items, *count, sizeof **items);
        if (!*items)
            return error_oom(p->err);
        status = sql_take_path(p, &(*items)[*count]);
        if (status != STATUS_OK)
            break;
        ++*count;
        if (!sql_take_symbol(p, ","))
            return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
    }
    return status;
}

enum status sql_take_new_column(struct sql_parser *p, struct statement *st)
{
    struct sql_column c = {.nullable = true, .offset = p->token.start};
    struct sql_path path;
    enum status status = sql_take_path(p, &path);
    if (status != STATUS_OK)
        return status;
    c.name = path.parts[path.depth - 1];
    c.path = path.parts;
    c.path_depth = path.depth - 1;
    size_t type_start = p->token.start;
    status = sql_take_type(p, &c.type);
    if (status == STATUS_OK) {
        note_length(p, type_start, &c);
        status = sql_take_column_words(p, st, true, &c);
    }
    return status == STATUS_OK ? push_column(p, st, &c) : status;
}
