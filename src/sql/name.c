/* sql/name.c: names, texts and numbers as statements write them. */
#include "sql/sql_int.h"

/* ---- texts -------------------------------------------------------------------------------- */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }

/* The escapes of E'…' beyond a plain character: \b \f \n \r \t, \xHH, \OOO. Moves *at past the escape. */
static char escaped_byte(struct str s, size_t *at)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    char c = s.ptr[(*at)++];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter)
        return bytes[letter - letters];
    if (c == 'x' && *at < s.len && hex_digit(s.ptr[*at]) >= 0) {
        int v = hex_digit(s.ptr[(*at)++]);
        if (*at < s.len && hex_digit(s.ptr[*at]) >= 0)
            v = v * 16 + hex_digit(s.ptr[(*at)++]);
        return (char)v;
    }
    if (c >= '0' && c <= '7') {
        int v = c - '0';
        for (int i = 0; i < 2 && *at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '7'; i++)
            v = v * 8 + (s.ptr[(*at)++] - '0');
        return (char)v;
    }
    return c;
}

static enum status unescape(struct arena *arena, struct str inner, char quote, bool backslash, struct str *out, struct error *err)
{
    char *copy = arena_alloc(arena, inner.len + 1);
    size_t len = 0;
    if (!copy)
        return error_oom(err);
    for (size_t i = 0; i < inner.len;) {
        char c = inner.ptr[i++];
        if (c == quote)
            i++;
        else if (c == '\\' && backslash && i < inner.len)
            c = escaped_byte(inner, &i);
        copy[len++] = c;
    }
    *out = (struct str){copy, len};
    return STATUS_OK;
}

enum status sql_unquote(struct arena *arena, struct str quoted, struct str *out, struct error *err)
{
    if (quoted.ptr[0] == '$') {
        size_t mark = (size_t)((const char *)memchr(quoted.ptr + 1, '$', quoted.len - 1) - quoted.ptr) + 1;
        *out = str_sub(quoted, mark, quoted.len - 2 * mark);
        return STATUS_OK;
    }
    bool backslash = (quoted.ptr[0] | 0x20) == 'e';
    size_t open = backslash || (quoted.ptr[0] | 0x20) == 'n' ? 1 : 0;
    char quote = quoted.ptr[open];
    struct str inner = str_sub(quoted, open + 1, quoted.len - open - 2);
    bool plain = !memchr(inner.ptr, quote, inner.len) && !(backslash && memchr(inner.ptr, '\\', inner.len));
    if (!plain)
        return unescape(arena, inner, quote, backslash, out, err);
    *out = inner;
    return STATUS_OK;
}

/* '…', E'…', N'…' and $$…$$, but no X'…', B'…', U&'…'. */
static bool is_text_literal(struct str s)
{
    char first = (char)(s.ptr[0] | 0x20);
    return first != 'x' && first != 'b' && first != 'u';
}

bool sql_at_text(const struct sql_parser *p)
{
    if (p->token.kind == SQL_QUOTED)
        return p->text.ptr[p->token.start] == '"';
    return p->token.kind == SQL_STRING && is_text_literal(sql_token_text(p->text, p->token));
}

enum status sql_take_text(struct sql_parser *p, const char *what, struct str *out)
{
    if (!sql_at_text(p))
        return sql_expected(p, what);
    enum status status = sql_unquote(p->arena, sql_token_text(p->text, p->token), out, p->err);
    sql_advance(p);
    return status;
}

enum status sql_take_i64(struct sql_parser *p, const char *what, int64_t *out)
{
    if (p->token.kind != SQL_NUMBER || !str_to_i64(sql_token_text(p->text, p->token), out))
        return sql_expected(p, what);
    sql_advance(p);
    return STATUS_OK;
}

/* ---- names ---------------------------------------------------------------------------------- */

static enum status empty_name(struct sql_parser *p)
{
    return sql_mark(p->err, p->token.start, error_set(p->err, STATUS_SYNTAX, "a quoted name is empty"));
}

enum status sql_take_name_part(struct sql_parser *p, const char *what, struct str *out)
{
    struct str text = sql_token_text(p->text, p->token);
    enum status status = STATUS_OK;
    if (p->token.kind == SQL_QUOTED)
        status = text.len == 2 ? empty_name(p) : sql_unquote(p->arena, text, out, p->err);
    else if (p->token.kind == SQL_WORD)
        *out = text;
    else
        return sql_expected(p, what);
    if (status == STATUS_OK)
        sql_advance(p);
    return status;
}

/* Up to three parts with dots between them. *quote is what the last part stood in, '\0' for none. */
static enum status take_parts(struct sql_parser *p, const char *what, struct str parts[3], size_t *count, char *quote)
{
    *count = 0;
    *quote = '\0';
    /* The schema that is always there is called default. */
    bool qualifies =
        sql_token_is_symbol(p->text, sql_token_at(p->text, p->token.end), ".") || str_ieq(sql_token_text(p->text, p->token), STR("default"));
    if (p->token.kind == SQL_WORD && !qualifies && sql_keyword_class(sql_token_text(p->text, p->token)) == SQL_KEYWORD_RESERVED) {
        struct str word = sql_token_text(p->text, p->token);
        sql_expected(p, what);
        error_hint(p->err, "%.*s is a key word; a name like it stands in quotes: `%.*s`", STR_ARG(word), STR_ARG(word));
        return STATUS_SYNTAX;
    }
    do {
        if (*count == 3) {
            error_set(p->err, STATUS_SYNTAX, "a name has more than three parts");
            return sql_mark(p->err, p->token.start, STATUS_SYNTAX);
        }
        *quote = p->token.kind == SQL_QUOTED ? p->text.ptr[p->token.start] : '\0';
        enum status status = sql_take_name_part(p, *count ? "a name after \".\"" : what, &parts[*count]);
        if (status != STATUS_OK)
            return status;
        (*count)++;
    } while (sql_take_symbol(p, "."));
    return STATUS_OK;
}

static void set_parts(struct sql_name *out, const struct str parts[3], size_t count)
{
    out->table = parts[count - 1];
    out->schema = count > 1 ? parts[count - 2] : STR_NULL;
    out->catalog = count > 2 ? parts[0] : STR_NULL;
    out->is_path = count == 2 && str_ieq(parts[0], STR("delta"));
}

/* `t@v3`: the suffix is part of the quoted text. */
static enum status take_quoted_suffix(struct sql_parser *p, struct sql_name *out)
{
    struct sql_travel travel = {0};
    size_t start = sql_suffix_start(out->table);
    if (start == out->table.len)
        return STATUS_OK;
    struct str suffix = str_sub(out->table, start, out->table.len - start);
    enum status status = sql_read_suffix(p->arena, suffix, out->offset, &travel, p->err);
    out->table.len = start;
    return status == STATUS_OK ? sql_travel_meaning(p, &travel, &out->at) : status;
}

static enum status take_travel(struct sql_parser *p, struct sql_name *out)
{
    struct sql_travel travel = {0};
    enum status status;
    if (sql_at_suffix(p))
        status = sql_take_suffix(p, &travel);
    else if (sql_at_travel(p))
        status = sql_take_travel(p, &travel);
    else
        return STATUS_OK;
    return status == STATUS_OK ? sql_travel_meaning(p, &travel, &out->at) : status;
}

enum status sql_take_table_version(struct sql_parser *p, bool with_path_text, struct sql_name *out)
{
    struct str parts[3] = {{0}};
    size_t count = 0;
    char quote = '\0';
    *out = (struct sql_name){.offset = p->token.start};
    if (with_path_text && p->token.kind == SQL_STRING) {
        out->is_path = true;
        out->schema = STR("delta");
        if (sql_token_text(p->text, p->token).len == 2)
            return sql_expected(p, "a path");
        return sql_take_text(p, "a path", &out->table);
    }
    enum status status = take_parts(p, "a table name", parts, &count, &quote);
    if (status != STATUS_OK)
        return status;
    set_parts(out, parts, count);
    if (quote == '`')
        status = take_quoted_suffix(p, out);
    if (status == STATUS_OK && out->at.kind == SQL_AT_NONE)
        status = take_travel(p, out);
    return status;
}

enum status sql_take_table(struct sql_parser *p, bool with_path_text, struct sql_name *out)
{
    enum status status = sql_take_table_version(p, with_path_text, out);
    if (status != STATUS_OK || out->at.kind == SQL_AT_NONE)
        return status;
    error_set(p->err, STATUS_SYNTAX, "\"%.*s\" is named with a version, which only reading statements can take", STR_ARG(sql_shown(out->table)));
    return sql_mark(p->err, out->offset, STATUS_SYNTAX);
}

enum status sql_take_schema(struct sql_parser *p, struct sql_name *out)
{
    struct str parts[3] = {{0}};
    size_t count = 0;
    char quote = '\0';
    *out = (struct sql_name){.offset = p->token.start};
    enum status status = take_parts(p, "a schema name", parts, &count, &quote);
    if (status != STATUS_OK)
        return status;
    if (count == 3) {
        error_set(p->err, STATUS_SYNTAX, "a schema's name has at most two parts: catalog.schema");
        return sql_mark(p->err, out->offset, STATUS_SYNTAX);
    }
    set_parts(out, parts, count);
    out->is_path = false;
    return STATUS_OK;
}

enum status sql_take_name_list(struct sql_parser *p, struct str **items, uint32_t *count)
{
    enum status status = sql_expect_symbol(p, "(");
    while (status == STATUS_OK) {
        *items = sql_grow(p->arena, *items, *count, sizeof **items);
        if (!*items)
            return error_oom(p->err);
        status = sql_take_name_part(p, "a column name", &(*items)[*count]);
        if (status != STATUS_OK)
            break;
        ++*count;
        if (!sql_take_symbol(p, ","))
            return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
    }
    return status;
}

enum status sql_take_if_not_exists(struct sql_parser *p, bool *out)
{
    *out = sql_take_words(p, "IF NOT EXISTS");
    if (!*out && sql_at_words(p, "IF NOT")) {
        sql_take_words(p, "IF NOT");
        return sql_expect_word(p, "EXISTS");
    }
    return STATUS_OK;
}

enum status sql_take_if_exists(struct sql_parser *p, bool *out)
{
    *out = sql_take_words(p, "IF EXISTS");
    return STATUS_OK;
}
