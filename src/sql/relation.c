/* sql/relation.c: statements that stand where a table can. */
#include "sql/sql_int.h"

static const struct {
    const char *function, *words;
} functions[] = {{"table_history", "DESCRIBE HISTORY"}, {"table_detail", "DESCRIBE DETAIL"}, {"table_files", "DESCRIBE FILES"}};

/* ---- (DESCRIBE …) --------------------------------------------------------------------------- */

static bool stands_for_table(struct str in, struct sql_token before)
{
    return sql_token_is_word(in, before, "FROM") || sql_token_is_word(in, before, "JOIN") || sql_token_is_symbol(in, before, ",");
}

/* DESCRIBE of a query is the engine's; a column may be called describe. */
static bool is_statement(struct str in, struct sql_token first)
{
    static const char *const queries[] = {"SELECT", "WITH", "FROM", "VALUES"};
    bool words = sql_token_is_word(in, first, "DESCRIBE") || sql_token_is_word(in, first, "DESC") || sql_token_is_word(in, first, "SHOW");
    struct sql_token next = sql_token_at(in, first.end);
    for (size_t i = 0; i < VV_ARRAY_COUNT(queries); i++)
        words &= !sql_token_is_word(in, next, queries[i]);
    return words && (next.kind == SQL_WORD || next.kind == SQL_QUOTED || next.kind == SQL_STRING);
}

bool sql_write_statement(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    struct sql_token comma[2], close;
    size_t commas;
    if (!sql_token_is_symbol(w->in, *t, "(") || w->unbalanced || !stands_for_table(w->in, before))
        return false;
    struct sql_token first = sql_token_at(w->in, t->end);
    if (!is_statement(w->in, first) || !sql_call_extent(w, *t, &commas, comma, &close))
        return false;
    struct buf call = BUF_INIT;
    buf_z(&call, SQL_STATEMENT_FUNCTION "('");
    for (size_t i = first.start; i < close.start; i++)
        buf_printf(&call, w->in.ptr[i] == '\'' ? "''" : "%c", w->in.ptr[i]);
    buf_z(&call, "')");
    w->failed |= call.failed;
    sql_write_edit(w, buf_view(&call), t->start, close.end);
    buf_release(&call);
    *t = close;
    return true;
}

/* ---- calls ------------------------------------------------------------------------------------ */

static enum status take_statement(struct sql_parser *p, struct str function, struct str *out)
{
    struct str text;
    bool whole = str_ieq(function, STR(SQL_STATEMENT_FUNCTION));
    enum status status = sql_take_text(p, "the name of a table as text", &text);
    if (status != STATUS_OK)
        return status;
    const char *words = "";
    for (size_t i = 0; i < VV_ARRAY_COUNT(functions); i++)
        if (str_ieq(function, str_of(functions[i].function)))
            words = functions[i].words;
    *out = whole ? text : str_of(arena_printf(p->arena, "%s %.*s", words, STR_ARG(text)));
    return out->ptr ? STATUS_OK : error_oom(p->err);
}

enum status sql_statement_call(struct arena *arena, struct str text, size_t offset, struct sql_statement_call *out, struct error *err)
{
    struct sql_parser p = sql_parser_at(arena, text, offset < text.len ? offset : text.len, err);
    struct str function = sql_token_text(text, p.token);
    *out = (struct sql_statement_call){.start = p.token.start};
    sql_advance(&p);
    enum status status = sql_expect_symbol(&p, "(");
    if (status == STATUS_OK)
        status = take_statement(&p, function, &out->statement);
    if (status == STATUS_OK && str_ieq(function, STR(SQL_STATEMENT_FUNCTION)) && sql_take_symbol(&p, ","))
        status = sql_take_text(&p, "the name of a schema as text", &out->schema);
    if (status == STATUS_OK)
        status = sql_expect_symbol(&p, ")");
    out->end = p.last_end;
    return status;
}
