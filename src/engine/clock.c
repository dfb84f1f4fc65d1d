/* engine/clock.c: one moment for a whole statement.
 *
 * now() and its kin are folded into constants while a statement is planned, and files are left out by those constants.  The executing instance folds
 * them once more, a little later: a row stamped in between would be in its answer, though its file was left out.  So both are told the moment, by
 * macros that hide DuckDB's functions on the connection that runs the statement. */
#include "engine/engine_int.h"

#define FIRST_MACRO "CREATE TEMP MACRO now() AS "

void engine_clock_settings(int64_t now_us, struct buf *sql)
{
    static const struct {
        const char *function, *before, *after;
    } macros[] = {{"get_current_timestamp", "", ""},
                  {"transaction_timestamp", "", ""},
                  {"current_date", "CAST(", " AS DATE)"},
                  {"today", "CAST(", " AS DATE)"},
                  {"get_current_time", "CAST(", " AS TIMETZ)"},
                  {"current_localtimestamp", "CAST(", " AS TIMESTAMP)"},
                  {"current_localtime", "CAST(CAST(", " AS TIMESTAMP) AS TIME)"}};
    char moment[40];
    timestamp_to_iso(now_us, true, moment);
    if (sql->len)
        buf_z(sql, "; ");
    buf_printf(sql, FIRST_MACRO "TIMESTAMPTZ '%s'", moment);
    for (size_t i = 0; i < VV_ARRAY_COUNT(macros); i++)
        buf_printf(sql, "; CREATE TEMP MACRO %s() AS %sTIMESTAMPTZ '%s'%s", macros[i].function, macros[i].before, moment, macros[i].after);
}

bool clock_is_set(struct str settings) { return settings.len && memmem(settings.ptr, settings.len, FIRST_MACRO, sizeof FIRST_MACRO - 1); }
