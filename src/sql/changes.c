/* sql/changes.c: the call of table_changes or table_changes_by_path. */
#include "sql/sql_int.h"

/* The table's name stands in a text. */
static enum status read_name(struct sql_parser *p, struct str text, size_t offset, struct sql_name *out)
{
    struct sql_parser inside = sql_parser_at(p->arena, text, 0, p->err);
    enum status status = sql_take_table(&inside, false, out);
    if (status == STATUS_OK)
        status = sql_finish(&inside);
    out->offset = offset;
    return status == STATUS_OK ? status : sql_mark(p->err, offset, status);
}

static enum status take_name(struct sql_parser *p, bool by_path, struct sql_name *out)
{
    size_t offset = p->token.start;
    struct str text;
    enum status status = sql_take_text(p, by_path ? "the path of a table as text" : "the name of a table as text", &text);
    if (status != STATUS_OK || !by_path)
        return status == STATUS_OK ? read_name(p, text, offset, out) : status;
    *out = (struct sql_name){.schema = STR("delta"), .table = text, .is_path = true, .offset = offset};
    return STATUS_OK;
}

static bool at_end_of_argument(const struct sql_parser *p) { return p->token.kind == SQL_END || sql_at_symbol(p, ",") || sql_at_symbol(p, ")"); }

static enum status skip_argument(struct sql_parser *p)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !at_end_of_argument(p)) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (sql_at_symbol(p, "("))
            status = sql_skip_brackets(p);
        else
            sql_advance(p);
    }
    return status;
}

static enum status take_bound(struct sql_parser *p, struct sql_at *out)
{
    size_t start = p->token.start;
    bool number = p->token.kind == SQL_NUMBER;
    if (at_end_of_argument(p))
        return sql_expected(p, "a version or a time");
    enum status status = number ? sql_take_i64(p, "a version number", &out->version) : skip_argument(p);
    if (status != STATUS_OK)
        return status;
    if (number && !at_end_of_argument(p))
        return sql_expected(p, "\",\" or \")\" after a version");
    out->kind = number ? SQL_AT_VERSION : SQL_AT_TIMESTAMP;
    out->expr = str_sub(p->text, start, p->last_end - start);
    return STATUS_OK;
}

enum status sql_changes_call(struct arena *arena, struct str text, size_t offset, struct sql_changes *out, struct error *err)
{
    struct sql_parser p = sql_parser_at(arena, text, offset < text.len ? offset : text.len, err);
    *out = (struct sql_changes){.start = p.token.start};
    bool by_path = sql_at_word(&p, "table_changes_by_path");
    sql_advance(&p);
    enum status status = sql_expect_symbol(&p, "(");
    if (status == STATUS_OK)
        status = take_name(&p, by_path, &out->name);
    if (status == STATUS_OK)
        status = sql_expect_symbol(&p, ",");
    if (status == STATUS_OK)
        status = take_bound(&p, &out->from);
    if (status == STATUS_OK && sql_take_symbol(&p, ","))
        status = take_bound(&p, &out->to);
    if (status == STATUS_OK)
        status = sql_expect_symbol(&p, ")");
    out->end = p.last_end;
    return status;
}
