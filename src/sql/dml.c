/* sql/dml.c: DELETE, UPDATE and TRUNCATE, and the pieces of grammar that MERGE shares with them. */
#include "sql/sql_int.h"

/* ---- expressions ---------------------------------------------------------------------------- */

/* x IN (SELECT …), a = (SELECT …), f(SELECT …) need the bracket; a = b (SELECT …) does not. */
static bool waits_for_bracket(const struct sql_parser *p, struct sql_token before)
{
    static const char *const words[] = {"IN", "EXISTS", "ANY", "ALL", "SOME", "NOT", "AND", "OR", "LIKE", "ILIKE", "BETWEEN", "IS", "FROM"};
    char last = p->last_end ? p->text.ptr[p->last_end - 1] : '\0'; /* before is where a bracket opened that closed since */
    if (before.kind == SQL_SYMBOL)
        return last != ')' && last != ']' && last != '}';
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_token_is_word(p->text, before, words[i]))
            return true;
    return before.end == before.start;
}

static bool at_bracketed_query(const struct sql_parser *p, struct sql_token before)
{
    struct sql_parser inside = *p;
    if (!sql_at_symbol(p, "(") || waits_for_bracket(p, before))
        return false;
    while (sql_take_symbol(&inside, "("))
        ;
    return sql_at_query(&inside);
}

/* Where an expression that began at `start` ends; before is the token in front of p->token. */
static bool at_stop(const struct sql_parser *p, unsigned stops, struct sql_token before)
{
    if (sql_token_is_symbol(p->text, before, "."))
        return false; /* a field may be called anything */
    if ((stops & SQL_STOP_COMMA) && sql_at_symbol(p, ","))
        return true;
    if ((stops & SQL_STOP_CLOSE) && sql_at_symbol(p, ")"))
        return true;
    if ((stops & SQL_STOP_BRACKETED_QUERY) && at_bracketed_query(p, before))
        return true;
    if ((stops & SQL_STOP_QUERY) && sql_at_query(p) && !sql_at_symbol(p, "("))
        return !(sql_at_word(p, "FROM") && sql_token_is_word(p->text, before, "DISTINCT"));
    return ((stops & SQL_STOP_WHERE) && sql_at_word(p, "WHERE")) || ((stops & SQL_STOP_WHEN) && sql_at_word(p, "WHEN")) ||
           ((stops & SQL_STOP_THEN) && sql_at_word(p, "THEN")) || ((stops & SQL_STOP_APPLY) && sql_at_word(p, "APPLY")) ||
           ((stops & SQL_STOP_ZORDER) && sql_at_word(p, "ZORDER"));
}

static bool opens(const struct sql_parser *p) { return sql_at_symbol(p, "(") || sql_at_symbol(p, "[") || sql_at_symbol(p, "{"); }

enum status sql_take_expression(struct sql_parser *p, const char *what, unsigned stops, struct str *out)
{
    size_t start = p->token.start, cases = 0;
    struct sql_token before = {0};
    *out = STR_NULL;
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ";")) {
        enum status status = STATUS_OK;
        bool is_field = sql_token_is_symbol(p->text, before, ".");
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (!cases && at_stop(p, stops, before))
            break;
        cases += !is_field && sql_at_word(p, "CASE");
        cases -= !is_field && cases && sql_at_word(p, "END");
        before = p->token;
        if (opens(p))
            status = sql_skip_brackets(p);
        else if (sql_at_symbol(p, ")") || sql_at_symbol(p, "]") || sql_at_symbol(p, "}"))
            break;
        else
            sql_advance(p);
        if (status != STATUS_OK)
            return status;
    }
    if (p->last_end <= start || p->token.start == start)
        return sql_expected(p, what);
    *out = str_sub(p->text, start, p->last_end - start);
    return STATUS_OK;
}

/* ---- targets ------------------------------------------------------------------------------------ */

enum status sql_take_target_alias(struct sql_parser *p, const char *next, struct str *out)
{
    *out = STR_NULL;
    bool as = sql_take_word(p, "AS");
    if (!as && (sql_at_word(p, next) || (p->token.kind != SQL_WORD && p->token.kind != SQL_QUOTED)))
        return STATUS_OK;
    if (p->token.kind == SQL_WORD && sql_cannot_name_table(sql_token_text(p->text, p->token)))
        return as ? sql_expected(p, "an alias") : STATUS_OK;
    return sql_take_name_part(p, "an alias", out);
}

enum status sql_take_assignment_path(struct sql_parser *p, struct sql_assignment *out)
{
    *out = (struct sql_assignment){.offset = p->token.start};
    enum status status;
    do {
        out->path = sql_grow(p->arena, out->path, out->depth, sizeof *out->path);
        if (!out->path)
            return error_oom(p->err);
        status = sql_take_name_part(p, out->depth ? "a field's name" : "a column name", &out->path[out->depth]);
        out->depth += status == STATUS_OK;
    } while (status == STATUS_OK && sql_take_symbol(p, "."));
    return status;
}

/* DEFAULT alone: what stands behind it ends the expression. */
static bool take_default(struct sql_parser *p, unsigned stops)
{
    struct sql_parser ahead = *p;
    if (!sql_take_word(&ahead, "DEFAULT"))
        return false;
    bool alone = ahead.token.kind == SQL_END || sql_at_symbol(&ahead, ";") || at_stop(&ahead, stops, (struct sql_token){0});
    if (alone)
        *p = ahead;
    return alone;
}

enum status sql_take_assignments(struct sql_parser *p, unsigned stops, struct sql_assignment **items, uint32_t *count)
{
    enum status status;
    do {
        *items = sql_grow(p->arena, *items, *count, sizeof **items);
        if (!*items)
            return error_oom(p->err);
        struct sql_assignment *item = &(*items)[*count];
        if (sql_at_symbol(p, "("))
            return sql_refuse(p, "SET (column, …) = (…)", "give every column its own value: SET a = 1, b = 2");
        status = sql_take_assignment_path(p, item);
        if (status == STATUS_OK)
            status = sql_expect_symbol(p, "=");
        if (status == STATUS_OK && !take_default(p, stops | SQL_STOP_COMMA))
            status = sql_take_expression(p, "a value", stops | SQL_STOP_COMMA, &item->value);
        *count += status == STATUS_OK;
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    return status;
}

/* ---- WITH before the statement ---------------------------------------------------------------------- */

bool sql_take_change_behind_with(struct sql_parser *p, struct statement *st)
{
    static const struct {
        const char *words;
        enum statement_kind kind;
    } changes[] = {{"MERGE INTO", STATEMENT_MERGE},
                   {"MERGE WITH SCHEMA EVOLUTION INTO", STATEMENT_MERGE},
                   {"DELETE FROM", STATEMENT_DELETE},
                   {"UPDATE", STATEMENT_UPDATE}};
    struct sql_parser ahead = *p;
    struct error ignored = ERROR_INIT;
    size_t start = p->token.start;
    bool found = false;
    ahead.err = &ignored;
    if (!sql_at_word(p, "WITH"))
        return false;
    while (!found && ahead.token.kind != SQL_END && ahead.token.kind != SQL_ERROR && !sql_at_symbol(&ahead, ";")) {
        if (!sql_at_symbol(&ahead, "(")) {
            sql_advance(&ahead);
            continue;
        }
        if (sql_skip_brackets(&ahead) != STATUS_OK)
            break;
        size_t end = ahead.last_end;
        for (size_t i = 0; i < VV_ARRAY_COUNT(changes) && !found; i++) {
            if (!sql_take_words(&ahead, changes[i].words))
                continue;
            st->kind = changes[i].kind;
            st->change.with = str_sub(p->text, start, end - start);
            st->change.schema_evolution = i == 1;
            found = true;
        }
        if (!found && sql_at_query(&ahead) && !sql_at_symbol(&ahead, "("))
            break;
    }
    error_release(&ignored);
    if (found) {
        ahead.err = p->err;
        *p = ahead;
    }
    return found;
}

/* ---- statements ----------------------------------------------------------------------------------------- */

static enum status take_where(struct sql_parser *p, struct statement *st)
{
    if (!sql_take_word(p, "WHERE"))
        return STATUS_OK;
    return sql_take_expression(p, "a condition", 0, &st->change.condition);
}

enum status sql_parse_delete(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"USING", "write WHERE key IN (SELECT …) or MERGE INTO … WHEN MATCHED THEN DELETE"},
                                                  {"LIMIT", "choose the rows by a condition"},
                                                  {"ORDER BY", "choose the rows by a condition"},
                                                  {"RETURNING", "SELECT the rows before"}};
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = sql_take_target_alias(p, "WHERE", &st->change.alias);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "DELETE", refusals, VV_ARRAY_COUNT(refusals));
    if (status == STATUS_OK && !sql_at_word(p, "WHERE") && p->token.kind != SQL_END && !sql_at_symbol(p, ";"))
        return sql_expect_word(p, "WHERE");
    if (status == STATUS_OK)
        status = take_where(p, st);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_update(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"FROM", "write MERGE INTO … USING … WHEN MATCHED THEN UPDATE SET …"}};
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = sql_take_target_alias(p, "SET", &st->change.alias);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "SET");
    if (status == STATUS_OK)
        status = sql_take_assignments(p, SQL_STOP_WHERE | SQL_STOP_QUERY, &st->change.assignments, &st->change.assignment_count);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "UPDATE", refusals, VV_ARRAY_COUNT(refusals));
    if (status == STATUS_OK)
        status = take_where(p, st);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_truncate(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && sql_at_word(p, "PARTITION"))
        return sql_refuse(p, "TRUNCATE TABLE … PARTITION", "write DELETE FROM name WHERE partition_column = value");
    return status == STATUS_OK ? sql_finish(p) : status;
}
