/* sql/copy.c: COPY INTO. */
#include "sql/sql_int.h"

static const struct sql_refusal copy_refusals[] = {
    {"FILES", "give the files as a glob in FROM: 'dir/*.csv' or 'dir/day-[0-3]?.csv'; or load them one by one"},
    {"PATTERN", "give the pattern as a glob in FROM: 'dir/2024-*.csv'"},
    {"VALIDATE", "load into a table made for the purpose and look at it"},
    {"WITH", "the files are read with the rights of this process"},
    {"BY POSITION", NULL},
    {"ENCRYPTION", NULL},
    {"CREDENTIAL", "the files are read with the rights of this process"},
};

static enum status take_format(struct sql_parser *p, struct statement *st)
{
    static const struct str names[] = {[SQL_CSV] = STR("CSV"), [SQL_JSON] = STR("JSON"), [SQL_PARQUET] = STR("PARQUET")};
    struct str name;
    sql_take_symbol(p, "=");
    size_t position = p->token.start;
    enum status status = p->token.kind == SQL_STRING ? sql_take_text(p, "a format", &name) : sql_take_name_part(p, "CSV, JSON or PARQUET", &name);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < VV_ARRAY_COUNT(names); i++)
        if (str_ieq(name, names[i])) {
            st->file_format = (enum sql_file_format)i;
            return STATUS_OK;
        }
    error_set(p->err, STATUS_NOT_SUPPORTED, "the file format \"%.*s\" is not supported", STR_ARG(sql_shown(name)));
    struct str near = str_nearest(name, names, VV_ARRAY_COUNT(names));
    if (near.ptr)
        error_hint(p->err, "did you mean %.*s?", STR_ARG(near));
    else
        error_hint(p->err, "COPY INTO reads CSV, JSON and PARQUET");
    return sql_mark(p->err, position, STATUS_NOT_SUPPORTED);
}

static enum status take_source(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_expect_word(p, "FROM");
    if (status != STATUS_OK)
        return status;
    if (sql_at_symbol(p, "("))
        return sql_refuse(p, "COPY INTO … FROM (SELECT …)", "load the files as they are, then INSERT INTO another table with the query");
    st->query_offset = p->token.start;
    status = sql_take_text(p, "a path in quotes", &st->query);
    if (status == STATUS_OK && !st->query.len)
        return sql_mark(p->err, st->query_offset, error_set(p->err, STATUS_SYNTAX, "the path of COPY INTO is empty"));
    return status;
}

static enum status given_twice(struct sql_parser *p, const char *what)
{
    return sql_mark(p->err, p->token.start, error_set(p->err, STATUS_SYNTAX, "%s is given twice", what));
}

/* FILEFORMAT, FORMAT_OPTIONS and COPY_OPTIONS in any order. */
static enum status take_clauses(struct sql_parser *p, struct statement *st)
{
    bool format = false, format_options = false, copy_options = false;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        if (sql_at_word(p, "FILEFORMAT")) {
            if (format)
                return given_twice(p, "FILEFORMAT");
            sql_advance(p);
            format = true;
            status = take_format(p, st);
        } else if (sql_at_word(p, "FORMAT_OPTIONS")) {
            if (format_options)
                return given_twice(p, "FORMAT_OPTIONS");
            sql_advance(p);
            format_options = true;
            status = sql_take_properties(p, false, &st->format_options, &st->format_option_count);
        } else if (sql_at_word(p, "COPY_OPTIONS")) {
            if (copy_options)
                return given_twice(p, "COPY_OPTIONS");
            sql_advance(p);
            copy_options = true;
            status = sql_take_properties(p, false, &st->properties, &st->property_count);
        } else {
            status = sql_refuse_any(p, "COPY INTO", copy_refusals, VV_ARRAY_COUNT(copy_refusals));
            break;
        }
    }
    return status == STATUS_OK && !format ? sql_expected(p, "FILEFORMAT = CSV, JSON or PARQUET") : status;
}

enum status sql_parse_copy_into(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && sql_at_symbol(p, "("))
        status = sql_refuse(p, "COPY INTO … (columns)", "the columns meet by name");
    if (status == STATUS_OK && sql_at_words(p, "BY POSITION"))
        status = sql_refuse(p, "COPY INTO … BY POSITION", "the columns meet by name");
    if (status == STATUS_OK)
        status = take_source(p, st);
    if (status == STATUS_OK)
        status = take_clauses(p, st);
    return status == STATUS_OK ? sql_finish(p) : status;
}
