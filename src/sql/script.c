/* sql/script.c: a script is statements with ';' between them. */
#include "sql/sql_int.h"

bool sql_next_statement(struct str script, size_t *at, struct str *statement, bool *complete)
{
    struct sql_token t = sql_token_at(script, *at);
    while (sql_token_is_symbol(script, t, ";"))
        t = sql_token_at(script, t.end);
    *statement = STR_NULL;
    *complete = true;
    *at = t.start;
    if (t.kind == SQL_END)
        return false;
    size_t start = t.start, end = t.start;
    while (t.kind != SQL_END && !sql_token_is_symbol(script, t, ";")) {
        end = t.end;
        t = sql_token_at(script, end);
    }
    *complete = t.kind != SQL_END; /* an open quote or comment runs to the end */
    *statement = str_sub(script, start, end - start);
    *at = t.end;
    return true;
}
