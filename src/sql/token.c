/* sql/token.c: the lexer.  It cuts where the engine's lexer cuts (PostgreSQL's rules), plus `x` as a quoted name. */
#include "sql/sql_int.h"

static char byte_at(struct str text, size_t at) { return at < text.len ? text.ptr[at] : '\0'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80; }

static bool is_operator(char c) { return c != '\0' && strchr("~!@#^&|+-*/%<>=", c) != NULL; }

/* ---- blanks and comments ----------------------------------------------------------- */

/* The Unicode blanks that the engine takes for a space: no-break, en quad to zero width joiner, narrow no-break,
 * mathematical, word joiner, ideographic, byte order mark. */
static size_t unicode_blank_at(struct str text, size_t at)
{
    unsigned char a = (unsigned char)byte_at(text, at), b = (unsigned char)byte_at(text, at + 1), c = (unsigned char)byte_at(text, at + 2);
    if (a == 0xC2 && b == 0xA0)
        return 2;
    if (a == 0xE2 && b == 0x80 && ((c >= 0x80 && c <= 0x8D) || c == 0xAF))
        return 3;
    if (a == 0xE2 && b == 0x81 && (c == 0x9F || c == 0xA0))
        return 3;
    if ((a == 0xE3 && b == 0x80 && c == 0x80) || (a == 0xEF && b == 0xBB && c == 0xBF))
        return 3;
    return 0;
}

size_t sql_blank_at(struct str text, size_t at)
{
    char c = byte_at(text, at);
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return 1;
    return (unsigned char)c >= 0x80 ? unicode_blank_at(text, at) : 0;
}

/* Past a block comment that starts at `at`; text.len + 1 when it does not end. They nest. */
static size_t skip_block_comment(struct str text, size_t at)
{
    size_t depth = 0;
    while (at < text.len) {
        if (byte_at(text, at) == '/' && byte_at(text, at + 1) == '*') {
            depth++;
            at += 2;
        } else if (byte_at(text, at) == '*' && byte_at(text, at + 1) == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return text.len + 1;
}

/* To the next token. When a comment does not end: its start, and *open is set. */
static size_t skip_space(struct str text, size_t at, bool *open)
{
    *open = false;
    while (at < text.len) {
        size_t blank = sql_blank_at(text, at);
        if (blank) {
            at += blank;
        } else if (byte_at(text, at) == '-' && byte_at(text, at + 1) == '-') {
            while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r')
                at++;
        } else if (byte_at(text, at) == '/' && byte_at(text, at + 1) == '*') {
            size_t end = skip_block_comment(text, at);
            if (end > text.len) {
                *open = true;
                return at;
            }
            at = end;
        } else {
            break;
        }
    }
    return at;
}

/* ---- one kind each --------------------------------------------------------------------- */

/* From the opening quote at `at`; a doubled quote stands for one. */
static struct sql_token quoted(struct str text, size_t start, size_t at, bool backslash, enum sql_token_kind kind)
{
    char quote = text.ptr[at++];
    while (at < text.len) {
        if (text.ptr[at] == '\\' && backslash) {
            at += 2;
        } else if (text.ptr[at] != quote) {
            at++;
        } else if (byte_at(text, at + 1) == quote) {
            at += 2;
        } else {
            return (struct sql_token){kind, start, at + 1};
        }
    }
    return (struct sql_token){SQL_ERROR, start, text.len};
}

static size_t word_end(struct str text, size_t at)
{
    while (at < text.len && (is_word_start(text.ptr[at]) || is_digit(text.ptr[at]) || text.ptr[at] == '$') && !unicode_blank_at(text, at))
        at++;
    return at;
}

/* $1, $name, $$text$$, $tag$text$tag$ */
static struct sql_token dollar(struct str text, size_t start)
{
    size_t tag = start + 1;
    while (tag < text.len && (is_word_start(text.ptr[tag]) || is_digit(text.ptr[tag])))
        tag++;
    bool numbered = is_digit(byte_at(text, start + 1));
    if (byte_at(text, tag) != '$' || numbered) {
        if (tag == start + 1)
            return (struct sql_token){SQL_ERROR, start, tag};
        return (struct sql_token){SQL_PARAM, start, tag};
    }
    struct str mark = str_sub(text, start, tag + 1 - start);
    const char *close = memmem(text.ptr + tag + 1, text.len - tag - 1, mark.ptr, mark.len);
    if (!close)
        return (struct sql_token){SQL_ERROR, start, text.len};
    return (struct sql_token){SQL_STRING, start, (size_t)(close - text.ptr) + mark.len};
}

static size_t digits_end(struct str text, size_t at)
{
    while (is_digit(byte_at(text, at)) || (byte_at(text, at) == '_' && is_digit(byte_at(text, at + 1))))
        at++;
    return at;
}

static struct sql_token number(struct str text, size_t start)
{
    size_t at = digits_end(text, start);
    if (byte_at(text, at) == '.' && byte_at(text, at + 1) != '.')
        at = is_digit(byte_at(text, at + 1)) ? digits_end(text, at + 1) : at + 1;
    char e = byte_at(text, at);
    if (e == 'e' || e == 'E') {
        char sign = byte_at(text, at + 1);
        size_t digits = at + 1 + (sign == '+' || sign == '-');
        if (is_digit(byte_at(text, digits)))
            at = digits_end(text, digits);
    }
    return (struct sql_token){SQL_NUMBER, start, at};
}

/* The longest run of operator characters, up to a comment; an operator ends in + or - only when it has a
 * character that no plain arithmetic has. */
static struct sql_token operator_run(struct str text, size_t start)
{
    size_t at = start;
    bool special = false;
    while (is_operator(byte_at(text, at))) {
        char c = text.ptr[at], next = byte_at(text, at + 1);
        if (at > start && ((c == '-' && next == '-') || (c == '/' && next == '*')))
            break;
        special |= strchr("~!@#^&|%", c) != NULL;
        at++;
    }
    while (!special && at > start + 1 && (text.ptr[at - 1] == '+' || text.ptr[at - 1] == '-'))
        at--;
    return (struct sql_token){SQL_SYMBOL, start, at};
}

static struct sql_token word_or_prefixed_string(struct str text, size_t start)
{
    char c = (char)(text.ptr[start] | 0x20);
    if (byte_at(text, start + 1) == '\'' && (c == 'e' || c == 'x' || c == 'b' || c == 'n'))
        return quoted(text, start, start + 1, c == 'e', SQL_STRING);
    if (c == 'u' && byte_at(text, start + 1) == '&' && byte_at(text, start + 2) == '\'')
        return quoted(text, start, start + 2, false, SQL_STRING);
    return (struct sql_token){SQL_WORD, start, word_end(text, start)};
}

static struct sql_token sign(struct str text, size_t at)
{
    char c = text.ptr[at], next = byte_at(text, at + 1);
    if (c == ':' && (next == ':' || next == '='))
        return (struct sql_token){SQL_SYMBOL, at, at + 2};
    if (strchr("()[]{},;.:", c) && c)
        return (struct sql_token){SQL_SYMBOL, at, at + 1};
    return (struct sql_token){SQL_ERROR, at, at + 1};
}

struct sql_token sql_token_at(struct str text, size_t at)
{
    bool open;
    at = skip_space(text, at < text.len ? at : text.len, &open);
    if (open)
        return (struct sql_token){SQL_ERROR, at, text.len};
    if (at >= text.len)
        return (struct sql_token){SQL_END, text.len, text.len};
    char c = text.ptr[at];
    if (is_word_start(c))
        return word_or_prefixed_string(text, at);
    if (c == '\'')
        return quoted(text, at, at, false, SQL_STRING);
    if (c == '"' || c == '`')
        return quoted(text, at, at, false, SQL_QUOTED);
    if (c == '$')
        return dollar(text, at);
    if (c == '?')
        return (struct sql_token){SQL_PARAM, at, digits_end(text, at + 1)};
    if (is_digit(c) || (c == '.' && is_digit(byte_at(text, at + 1))))
        return number(text, at);
    return is_operator(c) ? operator_run(text, at) : sign(text, at);
}

bool sql_token_is_word(struct str text, struct sql_token t, const char *word)
{
    return t.kind == SQL_WORD && str_ieq(sql_token_text(text, t), str_of(word));
}

bool sql_token_is_symbol(struct str text, struct sql_token t, const char *symbol)
{
    return t.kind == SQL_SYMBOL && str_eq(sql_token_text(text, t), str_of(symbol));
}
