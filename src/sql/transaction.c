/* sql/transaction.c: BEGIN, COMMIT and ROLLBACK. */
#include "sql/sql_int.h"

enum status sql_parse_transaction(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal at_begin[] = {{"READ", "every transaction reads one version of each table, and may write"},
                                                  {"ISOLATION", "every transaction reads one version of each table"},
                                                  {"ATOMIC", "write BEGIN; … COMMIT"},
                                                  {"NOT ATOMIC", "write BEGIN; … COMMIT"}};
    static const struct sql_refusal at_end[] = {{"TO", "there are no savepoints: roll the whole transaction back"},
                                                {"AND CHAIN", "write BEGIN for the next transaction"}};
    enum status status;
    if (!sql_take_word(p, "TRANSACTION"))
        sql_take_word(p, "WORK");
    if (st->kind == STATEMENT_BEGIN)
        status = sql_refuse_any(p, "BEGIN", at_begin, VV_ARRAY_COUNT(at_begin));
    else
        status = sql_refuse_any(p, st->kind == STATEMENT_COMMIT ? "COMMIT" : "ROLLBACK", at_end, VV_ARRAY_COUNT(at_end));
    return status == STATUS_OK ? sql_finish(p) : status;
}
