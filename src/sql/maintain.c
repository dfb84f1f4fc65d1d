/* sql/maintain.c: RESTORE, OPTIMIZE and REORG. */
#include "sql/sql_int.h"

enum status sql_parse_restore(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table_version(p, false, &st->name);
    if (status == STATUS_OK && st->name.at.kind == SQL_AT_NONE) {
        sql_take_word(p, "TO");
        struct sql_travel travel = {0};
        if (!sql_at_travel(p)) {
            sql_expected(p, "VERSION AS OF or TIMESTAMP AS OF");
            error_hint(p->err, "write RESTORE TABLE name TO VERSION AS OF 3");
            return STATUS_SYNTAX;
        }
        status = sql_take_travel(p, &travel);
        if (status == STATUS_OK)
            status = sql_travel_meaning(p, &travel, &st->name.at);
    }
    st->change.restore_to = st->name.at;
    st->name.at = (struct sql_at){0};
    if (status == STATUS_OK)
        st->change.dry_run = sql_take_words(p, "DRY RUN");
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_optimize(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, true, &st->name);
    if (status == STATUS_OK && sql_at_word(p, "FULL"))
        return sql_refuse(p, "OPTIMIZE … FULL", "it is for clustered tables; write OPTIMIZE name");
    if (status == STATUS_OK && sql_take_word(p, "WHERE"))
        status = sql_take_expression(p, "a condition", SQL_STOP_ZORDER, &st->change.condition);
    if (status == STATUS_OK && sql_at_word(p, "ZORDER"))
        return sql_refuse(p, "OPTIMIZE … ZORDER BY", "write OPTIMIZE name, which puts small files together");
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_reorg(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && sql_take_word(p, "WHERE"))
        status = sql_take_expression(p, "a condition", SQL_STOP_APPLY, &st->change.condition);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "APPLY");
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, "(");
    if (status == STATUS_OK && sql_at_word(p, "UPGRADE"))
        return sql_refuse(p, "REORG TABLE … APPLY (UPGRADE UNIFORM …)", "write REORG TABLE name APPLY (PURGE)");
    if (status == STATUS_OK)
        status = sql_expect_word(p, "PURGE");
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, ")");
    return status == STATUS_OK ? sql_finish(p) : status;
}
