/* sql/maintain.c: RESTORE, OPTIMIZE, REORG and VACUUM. */
#include "sql/sql_int.h"

enum { MS_PER_HOUR = 3600 * 1000, RETAIN_HOURS_MAX = 10000 * 366 * 24 };

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

/* BY (a, b.c), or without the brackets. */
static enum status take_zorder(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_expect_word(p, "BY");
    if (status == STATUS_OK && sql_at_symbol(p, "("))
        return sql_take_path_list(p, &st->paths, &st->path_count);
    for (bool more = true; status == STATUS_OK && more; more = sql_take_symbol(p, ",")) {
        st->paths = sql_grow(p->arena, st->paths, st->path_count, sizeof *st->paths);
        status = st->paths ? sql_take_path(p, &st->paths[st->path_count]) : error_oom(p->err);
        st->path_count += status == STATUS_OK;
        if (status != STATUS_OK)
            break;
    }
    return status;
}

enum status sql_parse_optimize(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, true, &st->name);
    if (status == STATUS_OK && sql_at_word(p, "FULL"))
        return sql_refuse(p, "OPTIMIZE … FULL", "it is for clustered tables; write OPTIMIZE name");
    if (status == STATUS_OK && sql_take_word(p, "WHERE"))
        status = sql_take_expression(p, "a condition", SQL_STOP_ZORDER, &st->change.condition);
    if (status == STATUS_OK && sql_take_word(p, "ZORDER"))
        status = take_zorder(p, st);
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
        return sql_refuse(p, "REORG TABLE … APPLY (UPGRADE UNIFORM …)",
                          "ALTER TABLE name SET TBLPROPERTIES ('delta.enableIcebergCompatV2' = 'true') keeps the table as Iceberg can describe it");
    if (status == STATUS_OK)
        status = sql_expect_word(p, "PURGE");
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, ")");
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* n HOURS; parts of an hour are allowed. */
static enum status take_retention(struct sql_parser *p, int64_t *ms)
{
    double hours = 0;
    if (p->token.kind != SQL_NUMBER || !str_to_f64(sql_token_text(p->text, p->token), &hours) || hours > RETAIN_HOURS_MAX)
        return sql_expected(p, "a number of hours");
    sql_advance(p);
    if (!sql_take_word(p, "HOURS") && !sql_take_word(p, "HOUR"))
        return sql_expected(p, "HOURS");
    *ms = (int64_t)(hours * MS_PER_HOUR);
    return STATUS_OK;
}

/* Options in any order, as Spark takes them. */
enum status sql_parse_vacuum(struct sql_parser *p, struct statement *st)
{
    bool more = true, full = false;
    st->vacuum.retain_ms = -1;
    enum status status = sql_take_table(p, true, &st->name);
    while (status == STATUS_OK && more) {
        if (sql_at_words(p, "USING INVENTORY"))
            return sql_refuse(p, "VACUUM … USING INVENTORY", "write VACUUM name, which lists the files, or VACUUM name LITE, which does not");
        if (!st->vacuum.lite && !full && sql_take_word(p, "LITE"))
            st->vacuum.lite = true;
        else if (!st->vacuum.lite && !full && sql_take_word(p, "FULL"))
            full = true;
        else if (!st->change.dry_run && sql_take_words(p, "DRY RUN"))
            st->change.dry_run = true;
        else if (st->vacuum.retain_ms < 0 && sql_take_word(p, "RETAIN"))
            status = take_retention(p, &st->vacuum.retain_ms);
        else
            more = false;
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}
