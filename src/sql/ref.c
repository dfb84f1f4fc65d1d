/* sql/ref.c: the extent of one table reference in text for the engine. */
#include "sql/sql_int.h"

static enum status take_version(struct sql_parser *p, struct sql_ref_extent *out)
{
    struct str digits = sql_token_text(p->text, p->token);
    bool text = p->token.kind == SQL_STRING && digits.len > 2 && digits.ptr[0] == '\'';
    if (text)
        digits = str_sub(digits, 1, digits.len - 2);
    bool number = (text || p->token.kind == SQL_NUMBER) && str_to_i64(digits, &out->at.version) && out->at.version >= 0;
    if (!number || !sql_token_is_symbol(p->text, sql_peek(p), ")")) {
        sql_expected(p, "a version number");
        error_hint(p->err, "for the state at a time write TIMESTAMP AS OF '…'");
        return STATUS_SYNTAX;
    }
    sql_advance(p);
    return STATUS_OK;
}

/* Everything up to the bracket that closes. */
static enum status take_time(struct sql_parser *p, struct sql_ref_extent *out)
{
    size_t start = p->token.start;
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ")")) {
        enum status status = STATUS_OK;
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (sql_at_symbol(p, "("))
            status = sql_skip_brackets(p);
        else
            sql_advance(p);
        if (status != STATUS_OK)
            return status;
    }
    if (p->last_end <= start)
        return sql_expected(p, "a time");
    out->at.expr = str_sub(p->text, start, p->last_end - start);
    return STATUS_OK;
}

/* AT (VERSION => 3) or AT (TIMESTAMP => expression), when it stands here. */
static enum status take_at(struct sql_parser *p, struct sql_ref_extent *out)
{
    struct sql_parser ahead = *p;
    if (!sql_take_word(&ahead, "AT") || !sql_take_symbol(&ahead, "("))
        return STATUS_OK;
    bool version = sql_at_word(&ahead, "VERSION");
    if (!version && !sql_at_word(&ahead, "TIMESTAMP"))
        return STATUS_OK;
    sql_advance(&ahead);
    if (!sql_take_symbol(&ahead, "=>"))
        return STATUS_OK;
    out->at_start = p->token.start;
    *p = ahead;
    enum status status = version ? take_version(p, out) : take_time(p, out);
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, ")");
    if (status != STATUS_OK)
        return status;
    out->at.kind = version ? SQL_AT_VERSION : SQL_AT_TIMESTAMP;
    out->at_end = p->last_end;
    return STATUS_OK;
}

enum status sql_ref_extent(struct str text, size_t offset, struct sql_ref_extent *out, struct error *err)
{
    struct sql_parser p = sql_parser_at(NULL, text, offset < text.len ? offset : text.len, err);
    struct sql_ref_extent extent = {.name_start = p.token.start};
    *out = (struct sql_ref_extent){0};
    do {
        if (p.token.kind != SQL_WORD && p.token.kind != SQL_QUOTED)
            return sql_expected(&p, "a table name");
        sql_advance(&p);
        extent.name_end = p.last_end;
    } while (sql_take_symbol(&p, "."));
    sql_take_alias(&p);
    extent.at_start = extent.at_end = extent.name_end;
    enum status status = take_at(&p, &extent);
    if (status == STATUS_OK)
        *out = extent;
    return status;
}
