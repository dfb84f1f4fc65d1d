/* sql/alter.c: ALTER TABLE. */
#include "sql/sql_int.h"

static const struct sql_refusal alter_refusals[] = {
    {"RENAME TO", NULL},
    {"RENAME COLUMN", "read the column under another name in a query"},
    {"RENAME", NULL},
    {"DROP COLUMN", "write CREATE OR REPLACE TABLE … AS SELECT with the columns to keep"},
    {"DROP COLUMNS", "write CREATE OR REPLACE TABLE … AS SELECT with the columns to keep"},
    {"DROP CONSTRAINT", NULL},
    {"DROP FEATURE", NULL},
    {"DROP ROW FILTER", NULL},
    {"DROP PARTITION", NULL},
    {"DROP", NULL},
    {"ALTER COLUMN", "write CREATE OR REPLACE TABLE … AS SELECT with the new type"},
    {"ALTER", "write CREATE OR REPLACE TABLE … AS SELECT with the new type"},
    {"CHANGE COLUMN", "write CREATE OR REPLACE TABLE … AS SELECT with the new type"},
    {"CHANGE", "write CREATE OR REPLACE TABLE … AS SELECT with the new type"},
    {"REPLACE COLUMNS", "write CREATE OR REPLACE TABLE … AS SELECT"},
    {"ADD CONSTRAINT", "filter the rows in the INSERT"},
    {"ADD PARTITION", "partitions come with the rows that are inserted"},
    {"ADD IF NOT EXISTS PARTITION", "partitions come with the rows that are inserted"},
    {"RECOVER PARTITIONS", "a Delta table knows its partitions from its log"},
    {"SET LOCATION", "create a table at the other place"},
    {"SET ROW FILTER", NULL},
    {"SET SERDE", NULL},
    {"SET SERDEPROPERTIES", NULL},
    {"SET TAGS", NULL},
    {"UNSET TAGS", NULL},
    {"SET OWNER", NULL},
    {"OWNER TO", NULL},
    {"CLUSTER BY", "use PARTITIONED BY when the table is created"},
    {"PARTITION", NULL},
};

static enum status take_add_columns(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_ADD_COLUMNS;
    if (sql_at_words(p, "IF NOT EXISTS"))
        return sql_refuse(p, "ADD COLUMN IF NOT EXISTS", "DESCRIBE the table to see its columns");
    bool brackets = sql_take_symbol(p, "(");
    enum status status;
    do
        status = sql_take_new_column(p, st);
    while (status == STATUS_OK && sql_take_symbol(p, ","));
    if (status != STATUS_OK || !brackets)
        return status;
    return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
}

static enum status take_unset(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_UNSET_PROPERTIES;
    enum status status = sql_take_if_exists(p, &st->if_exists);
    return status == STATUS_OK ? sql_take_properties(p, true, &st->properties, &st->property_count) : status;
}

static enum status take_change(struct sql_parser *p, struct statement *st)
{
    if (sql_take_words(p, "SET TBLPROPERTIES")) {
        st->alter = SQL_ALTER_SET_PROPERTIES;
        return sql_take_properties(p, false, &st->properties, &st->property_count);
    }
    if (sql_take_words(p, "UNSET TBLPROPERTIES"))
        return take_unset(p, st);
    if (sql_take_words(p, "ADD COLUMNS") || sql_take_words(p, "ADD COLUMN"))
        return take_add_columns(p, st);
    enum status status = sql_refuse_any(p, "ALTER TABLE", alter_refusals, VV_ARRAY_COUNT(alter_refusals));
    if (status != STATUS_OK)
        return status;
    if (sql_take_word(p, "ADD"))
        return sql_expected(p, "COLUMN or COLUMNS after ADD");
    if (sql_take_word(p, "SET") || sql_take_word(p, "UNSET"))
        return sql_expected(p, "TBLPROPERTIES");
    return sql_expected(p, "SET TBLPROPERTIES, UNSET TBLPROPERTIES or ADD COLUMN");
}

enum status sql_parse_alter_table(struct sql_parser *p, struct statement *st)
{
    if (sql_at_words(p, "IF EXISTS"))
        return sql_refuse(p, "ALTER TABLE IF EXISTS", "see SHOW TABLES for what exists");
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = take_change(p, st);
    if (status == STATUS_OK && st->alter != SQL_ALTER_ADD_COLUMNS && !st->property_count) {
        error_set(p->err, STATUS_SYNTAX, "the list of properties is empty");
        return sql_mark(p->err, p->last_end ? p->last_end - 1 : 0, STATUS_SYNTAX);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}
