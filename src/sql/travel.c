/* sql/travel.c: t VERSION AS OF 3, t TIMESTAMP AS OF '…', t@v3, and what may stand behind them. */
#include "sql/sql_int.h"

/* ---- the clause ---------------------------------------------------------------------- */

static enum sql_at_kind clause_unit(const struct sql_parser *p)
{
    if (sql_at_word(p, "VERSION") || sql_at_word(p, "SYSTEM_VERSION"))
        return SQL_AT_VERSION;
    if (sql_at_word(p, "TIMESTAMP") || sql_at_word(p, "SYSTEM_TIME"))
        return SQL_AT_TIMESTAMP;
    return SQL_AT_NONE;
}

static enum sql_at_kind take_clause_words(struct sql_parser *p)
{
    sql_take_word(p, "FOR");
    enum sql_at_kind kind = clause_unit(p);
    if (kind == SQL_AT_NONE)
        return kind;
    sql_advance(p);
    return sql_take_words(p, "AS OF") ? kind : SQL_AT_NONE;
}

bool sql_at_travel(const struct sql_parser *p)
{
    struct sql_parser ahead = *p;
    return p->token.kind == SQL_WORD && take_clause_words(&ahead) != SQL_AT_NONE;
}

static enum status not_a_version(struct sql_parser *p, struct str literal)
{
    struct str shown = sql_shown(literal);
    error_set(p->err, STATUS_SYNTAX, "VERSION AS OF takes a version number, not %.*s", STR_ARG(shown));
    error_hint(p->err, "for the state at a time write TIMESTAMP AS OF %.*s", STR_ARG(shown));
    return sql_mark(p->err, p->token.start, STATUS_SYNTAX);
}

static enum status take_version(struct sql_parser *p, struct sql_travel *out)
{
    struct str literal = sql_token_text(p->text, p->token), digits = literal;
    if (p->token.kind != SQL_STRING)
        return sql_take_i64(p, "a version number", &out->version);
    if (!sql_at_text(p))
        return sql_expected(p, "a version number");
    enum status status = sql_unquote(p->arena, literal, &digits, p->err);
    if (status != STATUS_OK)
        return status;
    if (!str_to_i64(digits, &out->version) || out->version < 0)
        return not_a_version(p, literal);
    sql_advance(p);
    return STATUS_OK;
}

/* ---- the extent of a time expression ----------------------------------------------------- */

static bool at_interval_unit(const struct sql_parser *p)
{
    static const char *const units[] = {"year",   "quarter",     "month",       "week",   "day",     "hour",     "minute",
                                        "second", "millisecond", "microsecond", "decade", "century", "centurie", "millennium"};
    if (p->token.kind != SQL_WORD)
        return false;
    struct str word = sql_token_text(p->text, p->token);
    if (word.len > 1 && (word.ptr[word.len - 1] | 0x20) == 's')
        word.len--;
    for (size_t i = 0; i < VV_ARRAY_COUNT(units); i++)
        if (str_ieq(word, str_of(units[i])))
            return true;
    return false;
}

/* INTERVAL 12 HOURS, INTERVAL '12' HOUR, INTERVAL '1 day', INTERVAL (n) DAYS, INTERVAL '1-2' YEAR TO MONTH */
static enum status skip_interval(struct sql_parser *p)
{
    enum status status = STATUS_OK;
    sql_advance(p);
    while (sql_take_symbol(p, "-") || sql_take_symbol(p, "+"))
        ;
    if (sql_at_symbol(p, "("))
        status = sql_skip_brackets(p);
    else if (p->token.kind == SQL_NUMBER || p->token.kind == SQL_STRING || p->token.kind == SQL_PARAM)
        sql_advance(p);
    else
        return sql_expected(p, "a number or text after INTERVAL");
    if (status != STATUS_OK || !at_interval_unit(p))
        return status;
    sql_advance(p);
    if (sql_take_word(p, "TO") && at_interval_unit(p))
        sql_advance(p);
    return STATUS_OK;
}

/* name, a.b, f(…), CAST(…), TIMESTAMP '…' */
static enum status skip_word_operand(struct sql_parser *p)
{
    struct str word = sql_token_text(p->text, p->token);
    bool call = sql_token_is_symbol(p->text, sql_peek(p), "(");
    if (!call && sql_keyword_class(word) == SQL_KEYWORD_RESERVED && !str_ieq(word, STR("NULL")))
        return sql_expected(p, "a time");
    sql_advance(p);
    while (sql_take_symbol(p, "."))
        if (p->token.kind == SQL_WORD || p->token.kind == SQL_QUOTED)
            sql_advance(p);
    if (sql_at_symbol(p, "("))
        return sql_skip_brackets(p);
    sql_take_words(p, "WITH TIME ZONE");
    if (p->token.kind == SQL_STRING)
        sql_advance(p);
    return STATUS_OK;
}

/* ::TYPE, ::DECIMAL(3,1), ::TIMESTAMP WITH TIME ZONE */
static enum status skip_casts(struct sql_parser *p)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && sql_take_symbol(p, "::")) {
        if (p->token.kind != SQL_WORD)
            return sql_expected(p, "a type after ::");
        sql_advance(p);
        if (sql_at_symbol(p, "("))
            status = sql_skip_brackets(p);
        if (!sql_take_words(p, "WITH TIME ZONE"))
            sql_take_words(p, "WITHOUT TIME ZONE");
    }
    return status;
}

static enum status skip_operand(struct sql_parser *p)
{
    enum status status = STATUS_OK;
    while (sql_take_symbol(p, "-") || sql_take_symbol(p, "+"))
        ;
    if (sql_at_symbol(p, "("))
        status = sql_skip_brackets(p);
    else if (sql_at_word(p, "INTERVAL"))
        status = skip_interval(p);
    else if (p->token.kind == SQL_WORD)
        status = skip_word_operand(p);
    else if (p->token.kind == SQL_STRING || p->token.kind == SQL_NUMBER || p->token.kind == SQL_PARAM)
        sql_advance(p);
    else
        return sql_expected(p, "a time");
    return status == STATUS_OK ? skip_casts(p) : status;
}

static bool take_infix(struct sql_parser *p)
{
    return sql_take_symbol(p, "+") || sql_take_symbol(p, "-") || sql_take_symbol(p, "*") || sql_take_symbol(p, "/") || sql_take_symbol(p, "||") ||
           sql_take_words(p, "AT TIME ZONE");
}

static enum status refuse_subquery(struct sql_parser *p, size_t start, size_t end)
{
    for (struct sql_token t = sql_token_at(p->text, start); t.start < end; t = sql_token_at(p->text, t.end)) {
        if (!sql_token_is_word(p->text, t, "SELECT"))
            continue;
        error_set(p->err, STATUS_SYNTAX, "TIMESTAMP AS OF takes a constant, not a subquery");
        error_hint(p->err, "write the time, or an expression such as current_timestamp() - INTERVAL 12 HOURS");
        return sql_mark(p->err, t.start, STATUS_SYNTAX);
    }
    return STATUS_OK;
}

/* 'yesterday', 'today' and 'now' are no timestamps to the engine. */
static enum status name_of_day(struct sql_parser *p, struct sql_travel *out)
{
    static const struct {
        struct str name, expr;
    } days[] = {
        {STR("yesterday"), STR("(current_date - INTERVAL 1 DAY)")}, {STR("today"), STR("current_date")}, {STR("now"), STR("current_timestamp")}};
    struct sql_token first = sql_token_at(p->text, out->expr_start);
    struct str text;
    if (first.kind != SQL_STRING || first.end != out->expr_end || p->text.ptr[first.start] != '\'')
        return STATUS_OK;
    enum status status = sql_unquote(p->arena, sql_token_text(p->text, first), &text, p->err);
    for (size_t i = 0; status == STATUS_OK && i < VV_ARRAY_COUNT(days); i++)
        if (str_ieq(text, days[i].name))
            out->expr = days[i].expr;
    return status;
}

static enum status take_time(struct sql_parser *p, struct sql_travel *out)
{
    if (p->token.kind == SQL_QUOTED) {
        struct str inner = sql_token_text(p->text, p->token);
        struct str shown = sql_shown(str_sub(inner, 1, inner.len - 2));
        sql_expected(p, "a time after TIMESTAMP AS OF");
        error_hint(p->err, "a text stands in single quotes: '%.*s'", STR_ARG(shown));
        return STATUS_SYNTAX;
    }
    out->expr_start = p->token.start;
    enum status status;
    do
        status = skip_operand(p);
    while (status == STATUS_OK && take_infix(p));
    out->expr_end = p->last_end;
    if (status == STATUS_OK)
        status = refuse_subquery(p, out->expr_start, out->expr_end);
    return status == STATUS_OK ? name_of_day(p, out) : status;
}

enum status sql_take_travel(struct sql_parser *p, struct sql_travel *out)
{
    *out = (struct sql_travel){.start = p->token.start};
    out->kind = take_clause_words(p);
    enum status status = out->kind == SQL_AT_VERSION ? take_version(p, out) : take_time(p, out);
    out->end = p->last_end;
    return status;
}

enum status sql_travel_meaning(struct sql_parser *p, const struct sql_travel *t, struct sql_at *out)
{
    struct sql_writer w = {.arena = p->arena, .in = p->text};
    *out = (struct sql_at){.kind = t->kind, .version = t->version, .expr = t->expr};
    if (t->kind != SQL_AT_TIMESTAMP || t->expr.ptr)
        return STATUS_OK;
    sql_write_range(&w, t->expr_start, t->expr_end);
    out->expr = w.failed || w.out.failed ? STR_NULL : arena_str(p->arena, buf_view(&w.out));
    buf_release(&w.out);
    return out->expr.ptr ? STATUS_OK : error_oom(p->err);
}

/* ---- the suffix ------------------------------------------------------------------------------ */

enum { SUFFIX_TIME_DIGITS = 17 }; /* yyyyMMddHHmmssSSS */

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

static bool is_suffix(struct str s)
{
    if (s.len < 3 || s.ptr[0] != '@')
        return false;
    if (s.ptr[1] == 'v' || s.ptr[1] == 'V')
        return all_digits(str_sub(s, 2, s.len - 2));
    return s.len == SUFFIX_TIME_DIGITS + 1 && all_digits(str_sub(s, 1, SUFFIX_TIME_DIGITS));
}

size_t sql_suffix_start(struct str name)
{
    const char *at = name.len ? memrchr(name.ptr, '@', name.len) : NULL;
    size_t start = at ? (size_t)(at - name.ptr) : 0;
    return start > 0 && is_suffix(str_sub(name, start, name.len - start)) ? start : name.len;
}

/* '@' and a word or number, all adjacent to the name. */
static struct str suffix_here(const struct sql_parser *p)
{
    if (!sql_at_symbol(p, "@") || p->token.start != p->last_end)
        return STR_NULL;
    struct sql_token next = sql_peek(p);
    if (next.start != p->token.end || (next.kind != SQL_WORD && next.kind != SQL_NUMBER))
        return STR_NULL;
    struct str suffix = str_sub(p->text, p->token.start, next.end - p->token.start);
    return is_suffix(suffix) ? suffix : STR_NULL;
}

bool sql_at_suffix(const struct sql_parser *p) { return suffix_here(p).ptr != NULL; }

static enum status read_suffix_time(struct arena *arena, struct str digits, size_t position, struct sql_travel *out, struct error *err)
{
    static const char layout[] = "dddd-dd-dd dd:dd:dd.ddd";
    char iso[sizeof layout];
    int64_t us;
    bool has_zone;
    size_t taken = 0;
    for (size_t i = 0; i < sizeof layout; i++)
        iso[i] = layout[i] == 'd' ? digits.ptr[taken++] : layout[i];
    if (!timestamp_from_text(str_of(iso), &us, &has_zone)) {
        error_set(err, STATUS_SYNTAX, "@%.*s is no time: no moment %s exists", STR_ARG(digits), iso);
        error_hint(err, "write the time as @yyyyMMddHHmmssSSS");
        return sql_mark(err, position, STATUS_SYNTAX);
    }
    out->kind = SQL_AT_TIMESTAMP;
    out->expr = str_of(arena_printf(arena, "TIMESTAMP '%s'", iso));
    return out->expr.ptr ? STATUS_OK : error_oom(err);
}

enum status sql_read_suffix(struct arena *arena, struct str suffix, size_t position, struct sql_travel *out, struct error *err)
{
    if (suffix.ptr[1] != 'v' && suffix.ptr[1] != 'V')
        return read_suffix_time(arena, str_sub(suffix, 1, SUFFIX_TIME_DIGITS), position, out, err);
    out->kind = SQL_AT_VERSION;
    if (str_to_i64(str_sub(suffix, 2, suffix.len - 2), &out->version))
        return STATUS_OK;
    return sql_mark(err, position, error_set(err, STATUS_SYNTAX, "the version in \"%.*s\" is too large", STR_ARG(sql_shown(suffix))));
}

enum status sql_take_suffix(struct sql_parser *p, struct sql_travel *out)
{
    struct str suffix = suffix_here(p);
    if (!suffix.ptr)
        return sql_expected(p, "@v and a version");
    *out = (struct sql_travel){.start = p->token.start, .end = p->token.start + suffix.len};
    enum status status = sql_read_suffix(p->arena, suffix, p->token.start, out, p->err);
    sql_advance(p);
    sql_advance(p);
    return status;
}

/* ---- the alias ---------------------------------------------------------------------------------- */

bool sql_take_alias(struct sql_parser *p)
{
    struct sql_parser ahead = *p;
    bool as = sql_take_word(&ahead, "AS");
    bool named = ahead.token.kind == SQL_QUOTED || (as && ahead.token.kind == SQL_STRING) ||
                 (ahead.token.kind == SQL_WORD && !sql_cannot_name_table(sql_token_text(p->text, ahead.token)));
    if (!named)
        return false;
    sql_advance(&ahead);
    *p = ahead;
    if (!sql_at_symbol(p, "("))
        return true;
    for (sql_advance(&ahead); ahead.token.kind == SQL_WORD || ahead.token.kind == SQL_QUOTED;) {
        sql_advance(&ahead);
        if (!sql_take_symbol(&ahead, ","))
            break;
    }
    if (sql_take_symbol(&ahead, ")"))
        *p = ahead;
    return true;
}
