/* sql/view.c: CREATE VIEW and DROP VIEW. */
#include "sql/sql_int.h"

static enum status take_head(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_if_not_exists(p, &st->if_not_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && st->or_replace && st->if_not_exists) {
        error_set(p->err, STATUS_SYNTAX, "OR REPLACE and IF NOT EXISTS exclude each other");
        error_hint(p->err, "keep one of them");
        return sql_mark(p->err, st->name.offset, STATUS_SYNTAX);
    }
    return status;
}

enum status sql_parse_create_view(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"TBLPROPERTIES", NULL}, {"WITH SCHEMA", NULL}, {"DEFAULT COLLATION", NULL}};
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    st->or_replace = sql_at_words(&lead, "CREATE OR");
    enum status status = take_head(p, st);
    if (status == STATUS_OK && sql_at_symbol(p, "("))
        status = sql_refuse(p, "CREATE VIEW with a list of columns", "name the columns in the query: SELECT a AS b");
    if (status == STATUS_OK && sql_take_word(p, "COMMENT"))
        status = sql_take_text(p, "the comment's text in quotes", &st->comment);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "CREATE VIEW", refusals, VV_ARRAY_COUNT(refusals));
    if (status == STATUS_OK)
        status = sql_expect_word(p, "AS");
    if (status == STATUS_OK && !sql_at_query(p))
        status = sql_expected(p, "SELECT after AS");
    return status == STATUS_OK ? sql_take_query(p, st) : status;
}

enum status sql_parse_drop_view(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}
