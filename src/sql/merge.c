/* sql/merge.c: MERGE INTO. */
#include "sql/sql_int.h"

/* ---- the source ----------------------------------------------------------------------------- */

/* A table, a file in quotes, a call that yields a table, or a query in brackets. */
static enum status take_relation(struct sql_parser *p, struct statement *st, struct str *name)
{
    struct sql_name table;
    if (sql_at_symbol(p, "("))
        return sql_skip_brackets(p);
    if (p->token.kind == SQL_STRING) {
        sql_advance(p);
        return STATUS_OK;
    }
    enum status status = sql_take_table_version(p, false, &table);
    if (status != STATUS_OK)
        return status;
    if (sql_at_symbol(p, "("))
        return sql_skip_brackets(p);
    st->change.source_is_table = true;
    *name = table.table;
    return STATUS_OK;
}

/* The name in [AS] name [(a, b)], which stands at p. */
static enum status read_alias(struct sql_parser p, struct str *out)
{
    sql_take_word(&p, "AS");
    return p.token.kind == SQL_STRING ? sql_take_text(&p, "an alias", out) : sql_take_name_part(&p, "an alias", out);
}

static enum status take_source(struct sql_parser *p, struct statement *st)
{
    struct sql_change *c = &st->change;
    size_t start = p->token.start;
    enum status status = take_relation(p, st, &c->source_alias);
    if (status != STATUS_OK)
        return status;
    struct sql_parser before = *p;
    if (!sql_at_word(p, "ON") && sql_take_alias(p))
        status = read_alias(before, &c->source_alias);
    c->source = str_sub(p->text, start, p->last_end - start);
    return status;
}

/* ---- clauses ------------------------------------------------------------------------------------- */

static enum status take_except(struct sql_parser *p, struct sql_merge_clause *c)
{
    c->all = true;
    return sql_take_word(p, "EXCEPT") ? sql_take_name_list(p, &c->except, &c->except_count) : STATUS_OK;
}

static enum status take_update(struct sql_parser *p, struct sql_merge_clause *c)
{
    c->then = SQL_MERGE_UPDATE;
    enum status status = sql_expect_word(p, "SET");
    if (status != STATUS_OK)
        return status;
    if (sql_at_symbol(p, "*") && c->when == SQL_MERGE_NOT_MATCHED_BY_SOURCE) {
        sql_expected(p, "column = value");
        error_hint(p->err, "rows that the source does not have can only be set to values of the target");
        return STATUS_SYNTAX;
    }
    if (sql_take_symbol(p, "*"))
        return take_except(p, c);
    return sql_take_assignments(p, SQL_STOP_WHEN, &c->assignments, &c->assignment_count);
}

static enum status take_insert_columns(struct sql_parser *p, struct sql_merge_clause *c)
{
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        c->assignments = sql_grow(p->arena, c->assignments, c->assignment_count, sizeof *c->assignments);
        if (!c->assignments)
            return error_oom(p->err);
        status = sql_take_assignment_path(p, &c->assignments[c->assignment_count]);
        if (status != STATUS_OK)
            break;
        c->assignment_count++;
        if (!sql_take_symbol(p, ","))
            return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
    }
    return status;
}

static enum status wrong_count(struct sql_parser *p, size_t at, uint32_t columns, uint32_t values)
{
    error_set(p->err, STATUS_SYNTAX, "INSERT names %u %s and gives %u %s", columns, columns == 1 ? "column" : "columns", values,
              values == 1 ? "value" : "values");
    return sql_mark(p->err, at, STATUS_SYNTAX);
}

static enum status take_insert_values(struct sql_parser *p, struct sql_merge_clause *c)
{
    const unsigned stops = SQL_STOP_COMMA | SQL_STOP_CLOSE;
    size_t start = p->token.start;
    uint32_t count = 0;
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        struct str value = STR_NULL;
        struct sql_token next = sql_peek(p);
        bool is_default = sql_at_word(p, "DEFAULT") && (sql_token_is_symbol(p->text, next, ",") || sql_token_is_symbol(p->text, next, ")"));
        if (is_default)
            sql_advance(p);
        else
            status = sql_take_expression(p, "a value", stops, &value);
        if (status != STATUS_OK)
            break;
        if (count < c->assignment_count)
            c->assignments[count].value = value;
        count++;
        if (sql_take_symbol(p, ","))
            continue;
        if (!sql_take_symbol(p, ")"))
            return sql_expected(p, "\",\" or \")\"");
        return count == c->assignment_count ? STATUS_OK : wrong_count(p, start, c->assignment_count, count);
    }
    return status;
}

static enum status take_insert(struct sql_parser *p, struct sql_merge_clause *c)
{
    c->then = SQL_MERGE_INSERT;
    if (sql_take_symbol(p, "*"))
        return take_except(p, c);
    if (!sql_at_symbol(p, "("))
        return sql_expected(p, "\"*\" or a list of columns");
    enum status status = take_insert_columns(p, c);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "VALUES");
    return status == STATUS_OK ? take_insert_values(p, c) : status;
}

static enum status take_action(struct sql_parser *p, struct sql_merge_clause *c)
{
    if (c->when == SQL_MERGE_NOT_MATCHED) {
        if (sql_take_word(p, "INSERT"))
            return take_insert(p, c);
        sql_expected(p, "INSERT");
        if (sql_at_word(p, "UPDATE") || sql_at_word(p, "DELETE"))
            error_hint(p->err, "rows that only the source has can only be inserted; rows that only the target has are WHEN NOT MATCHED BY SOURCE");
        return STATUS_SYNTAX;
    }
    if (sql_take_word(p, "UPDATE"))
        return take_update(p, c);
    if (sql_take_word(p, "DELETE")) {
        c->then = SQL_MERGE_DELETE;
        return STATUS_OK;
    }
    return sql_expected(p, "UPDATE SET or DELETE");
}

/* Behind WHEN. */
static enum status take_when(struct sql_parser *p, struct sql_merge_clause *c)
{
    bool matched = !sql_take_word(p, "NOT");
    enum status status = sql_expect_word(p, "MATCHED");
    if (status != STATUS_OK || matched)
        return status;
    c->when = SQL_MERGE_NOT_MATCHED;
    if (!sql_take_word(p, "BY"))
        return STATUS_OK;
    if (sql_take_word(p, "SOURCE"))
        c->when = SQL_MERGE_NOT_MATCHED_BY_SOURCE;
    else if (!sql_take_word(p, "TARGET"))
        return sql_expected(p, "TARGET or SOURCE");
    return STATUS_OK;
}

/* Of the clauses for one case, only the last may go without a condition: those behind it would never be asked. */
static enum status check_reachable(struct sql_parser *p, const struct sql_change *change, const struct sql_merge_clause *c)
{
    static const char *const names[] = {"WHEN MATCHED", "WHEN NOT MATCHED", "WHEN NOT MATCHED BY SOURCE"};
    for (uint32_t i = 0; i < change->clause_count; i++) {
        if (change->clauses[i].when != c->when || change->clauses[i].condition.ptr)
            continue;
        error_set(p->err, STATUS_SYNTAX, "an earlier %s has no condition, so that this one is never asked", names[c->when]);
        error_hint(p->err, "only the last %s can leave out AND condition", names[c->when]);
        return sql_mark(p->err, c->offset, STATUS_SYNTAX);
    }
    return STATUS_OK;
}

static enum status take_clause(struct sql_parser *p, struct sql_change *change)
{
    struct sql_merge_clause c = {.offset = p->last_end - 4}; /* WHEN was taken */
    enum status status = take_when(p, &c);
    if (status == STATUS_OK && sql_take_word(p, "AND"))
        status = sql_take_expression(p, "a condition", SQL_STOP_THEN, &c.condition);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "THEN");
    if (status == STATUS_OK)
        status = take_action(p, &c);
    if (status == STATUS_OK)
        status = check_reachable(p, change, &c);
    if (status != STATUS_OK)
        return status;
    change->clauses = sql_grow(p->arena, change->clauses, change->clause_count, sizeof *change->clauses);
    if (!change->clauses)
        return error_oom(p->err);
    change->clauses[change->clause_count++] = c;
    return STATUS_OK;
}

enum status sql_parse_merge(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    st->change.schema_evolution |= sql_at_words(&lead, "MERGE WITH SCHEMA EVOLUTION");
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = sql_take_target_alias(p, "USING", &st->change.alias);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "USING");
    if (status == STATUS_OK)
        status = take_source(p, st);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "ON");
    if (status == STATUS_OK)
        status = sql_take_expression(p, "a condition", SQL_STOP_WHEN, &st->change.condition);
    if (status == STATUS_OK && !sql_at_word(p, "WHEN"))
        status = sql_expect_word(p, "WHEN");
    while (status == STATUS_OK && sql_take_word(p, "WHEN"))
        status = take_clause(p, &st->change);
    return status == STATUS_OK ? sql_finish(p) : status;
}
