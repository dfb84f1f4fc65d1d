/* sql/equality.c: which columns a condition says are equal.  Only what is sure from the tokens alone is told. */
#include "sql/sql_int.h"

/* (((a = b))) -> a = b */
static struct str without_brackets(struct arena *arena, struct str text)
{
    for (;;) {
        struct sql_parser p = sql_parser_at(arena, text, 0, NULL);
        size_t start = p.token.end;
        if (!sql_at_symbol(&p, "(") || sql_skip_brackets(&p) != STATUS_OK || p.token.kind != SQL_END)
            return text;
        text = str_sub(text, start, p.last_end - 1 - start);
    }
}

/* AND splits the condition only where nothing binds weaker, and where it is not the AND of a BETWEEN. */
static bool is_plain_conjunction(struct arena *arena, struct str text)
{
    struct sql_parser p = sql_parser_at(arena, text, 0, NULL);
    while (p.token.kind != SQL_END) {
        static const char *const words[] = {"OR", "BETWEEN", "CASE", "NOT", "IS"};
        if (p.token.kind == SQL_ERROR)
            return false;
        for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
            if (sql_at_word(&p, words[i]))
                return false;
        bool bracket = sql_at_symbol(&p, "(") || sql_at_symbol(&p, "[") || sql_at_symbol(&p, "{");
        if (bracket && sql_skip_brackets(&p) != STATUS_OK)
            return false;
        if (!bracket)
            sql_advance(&p);
    }
    return true;
}

/* [qualifier.]name */
static bool take_column(struct sql_parser *p, struct str *qualifier, struct str *name)
{
    *qualifier = STR_NULL;
    if (p->token.kind == SQL_WORD && sql_keyword_class(sql_token_text(p->text, p->token)) == SQL_KEYWORD_RESERVED)
        return false;
    if (sql_take_name_part(p, "a column", name) != STATUS_OK)
        return false;
    if (!sql_take_symbol(p, "."))
        return true;
    *qualifier = *name;
    return sql_take_name_part(p, "a column", name) == STATUS_OK;
}

/* Moves p behind the next AND outside of brackets, or to the end. */
static void skip_conjunct(struct sql_parser *p)
{
    while (p->token.kind != SQL_END && !sql_take_word(p, "AND")) {
        bool bracket = sql_at_symbol(p, "(") || sql_at_symbol(p, "[") || sql_at_symbol(p, "{");
        if (!bracket || sql_skip_brackets(p) != STATUS_OK)
            sql_advance(p);
    }
}

static bool take_equality(struct sql_parser *p, struct sql_equality *out)
{
    if (!take_column(p, &out->left_qualifier, &out->left) || (!sql_take_symbol(p, "=") && !sql_take_symbol(p, "==")))
        return false;
    return take_column(p, &out->right_qualifier, &out->right) && (p->token.kind == SQL_END || sql_at_word(p, "AND"));
}

enum status sql_equalities(struct arena *arena, struct str condition, struct sql_equality **out, uint32_t *count, struct error *err)
{
    condition = without_brackets(arena, condition);
    struct sql_parser p = sql_parser_at(arena, condition, 0, NULL);
    *out = NULL;
    *count = 0;
    if (!is_plain_conjunction(arena, condition))
        return STATUS_OK;
    while (p.token.kind != SQL_END) {
        struct sql_parser start = p;
        struct sql_equality one;
        bool found = take_equality(&p, &one);
        p = start;
        skip_conjunct(&p);
        if (!found)
            continue;
        *out = sql_grow(arena, *out, *count, sizeof **out);
        if (!*out)
            return error_oom(err);
        (*out)[(*count)++] = one;
    }
    return STATUS_OK;
}
