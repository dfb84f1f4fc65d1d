/* sql/cache.c: CACHE TABLE, UNCACHE TABLE, CLEAR CACHE. */
#include "sql/sql_int.h"

/* A name of the session has one part. */
static enum status take_plain_name(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, false, &st->name);
    if (status != STATUS_OK || !st->name.schema.ptr)
        return status;
    error_set(p->err, STATUS_SYNTAX, "what is cached belongs to the session: its name has no schema");
    error_hint(p->err, "write %.*s", STR_ARG(sql_shown(st->name.table)));
    return sql_mark(p->err, st->name.offset, STATUS_SYNTAX);
}

enum status sql_parse_cache_table(struct sql_parser *p, struct statement *st)
{
    enum status status = take_plain_name(p, st);
    if (status == STATUS_OK && sql_take_word(p, "OPTIONS")) /* where Spark keeps the rows; the engine spills by itself */
        status = sql_take_properties(p, false, &st->properties, &st->property_count);
    if (status != STATUS_OK)
        return status;
    bool as = sql_take_word(p, "AS");
    if (!as && !sql_at_query(p)) {
        status = sql_finish(p);
        return status != STATUS_OK
                   ? status
                   : sql_refuse(p, "CACHE TABLE without a query",
                                "results are cached by themselves; CACHE TABLE name AS SELECT … keeps a query's rows for this session");
    }
    return sql_at_query(p) ? sql_take_query(p, st) : sql_expected(p, "SELECT after AS");
}

enum status sql_parse_uncache_table(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status == STATUS_OK)
        status = take_plain_name(p, st);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_clear_cache(struct sql_parser *p, struct statement *st)
{
    (void)st;
    return sql_finish(p);
}
