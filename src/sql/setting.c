/* sql/setting.c: USE and SET. */
#include "sql/sql_int.h"

enum status sql_parse_use(struct sql_parser *p, struct statement *st)
{
    struct sql_token next = sql_peek(p);
    bool more = next.kind == SQL_WORD || next.kind == SQL_QUOTED;
    if (more && sql_at_word(p, "CATALOG"))
        return sql_refuse(p, "USE CATALOG", "a lake has one catalog: write USE schema");
    if (more && !sql_take_word(p, "SCHEMA") && !sql_take_word(p, "DATABASE"))
        sql_take_word(p, "NAMESPACE");
    enum status status = sql_take_schema(p, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* a.b.c, parts may be key words. */
static enum status take_setting_name(struct sql_parser *p, struct str *out)
{
    size_t start = p->token.start, parts = 0;
    struct str part;
    do {
        enum status status = sql_take_name_part(p, "the name of a setting", &part);
        if (status != STATUS_OK)
            return status;
        parts++;
    } while (sql_take_symbol(p, "."));
    *out = parts == 1 ? part : str_sub(p->text, start, p->last_end - start);
    return STATUS_OK;
}

/* One text without its quotes, or everything up to the end as it is written. */
static enum status take_setting_value(struct sql_parser *p, struct str *out)
{
    struct sql_parser start = *p;
    if (sql_at_text(p)) {
        enum status status = sql_take_text(p, "a value", out);
        if (status != STATUS_OK || p->token.kind == SQL_END || sql_at_symbol(p, ";"))
            return status;
        *p = start;
    }
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ";")) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        sql_advance(p);
    }
    if (p->last_end <= start.token.start)
        return sql_expected(p, "a value");
    *out = str_sub(p->text, start.token.start, p->last_end - start.token.start);
    return STATUS_OK;
}

static enum status take_time_zone(struct sql_parser *p, struct delta_property *setting)
{
    setting->key = STR("TimeZone");
    if (sql_at_word(p, "LOCAL") || sql_at_word(p, "INTERVAL"))
        return sql_refuse(p, "SET TIME ZONE without a zone's name", "name the zone: SET TIME ZONE 'America/New_York'");
    return sql_take_text(p, "a time zone in quotes", &setting->value);
}

enum status sql_parse_set(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {
        {"GLOBAL", "settings are those of a session: leave GLOBAL out"}, {"LOCAL", "leave LOCAL out"}, {"ROLE", NULL}};
    struct delta_property *setting = ARENA_NEW(p->arena, struct delta_property);
    if (!setting)
        return error_oom(p->err);
    st->properties = setting;
    st->property_count = 1;
    enum status status;
    if (sql_peek(p).kind == SQL_WORD) {
        sql_take_word(p, "SESSION");
        status = sql_refuse_any(p, "SET", refusals, VV_ARRAY_COUNT(refusals));
        if (status != STATUS_OK)
            return status;
    }
    if (p->token.kind == SQL_END || sql_at_symbol(p, ";")) {
        st->property_count = 0; /* all settings are shown */
        return sql_finish(p);
    }
    if (sql_take_words(p, "TIME ZONE")) {
        status = take_time_zone(p, setting);
    } else {
        status = take_setting_name(p, &setting->key);
        if (status == STATUS_OK && (p->token.kind == SQL_END || sql_at_symbol(p, ";")))
            return sql_finish(p); /* it is shown: its value has no text */
        if (status == STATUS_OK && !sql_take_symbol(p, "="))
            sql_take_word(p, "TO");
        if (status == STATUS_OK)
            status = take_setting_value(p, &setting->value);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_reset(struct sql_parser *p, struct statement *st)
{
    struct delta_property *setting = ARENA_NEW(p->arena, struct delta_property);
    if (!setting)
        return error_oom(p->err);
    st->properties = setting;
    enum status status = STATUS_OK;
    if (p->token.kind != SQL_END && !sql_at_symbol(p, ";")) {
        st->property_count = 1;
        if (!sql_take_words(p, "TIME ZONE"))
            status = take_setting_name(p, &setting->key);
        else
            setting->key = STR("TimeZone");
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}
