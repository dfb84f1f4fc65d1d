/* sql/parse.c: which statement is it?  The leading words decide, the longest match first. */
#include "sql/sql_int.h"

static const struct statement_info infos[STATEMENT_COUNT] = {
#define STATEMENT(ID, NAME, WORDS, SYNTAX, WHAT, PRIVILEGE) [STATEMENT_##ID] = {NAME, WORDS, SYNTAX, WHAT, PRIVILEGE},
#include "sql/statements.def"
#undef STATEMENT
};

static enum status (*const parsers[STATEMENT_COUNT])(struct sql_parser *, struct statement *) = {
    [STATEMENT_SELECT] = sql_parse_select,
    [STATEMENT_CREATE_TABLE] = sql_parse_create_table,
    [STATEMENT_CONVERT] = sql_parse_convert,
    [STATEMENT_CREATE_SCHEMA] = sql_parse_create_schema,
    [STATEMENT_DROP_SCHEMA] = sql_parse_drop_schema,
    [STATEMENT_DROP_TABLE] = sql_parse_drop_table,
    [STATEMENT_CREATE_VIEW] = sql_parse_create_view,
    [STATEMENT_DROP_VIEW] = sql_parse_drop_view,
    [STATEMENT_ALTER_TABLE] = sql_parse_alter_table,
    [STATEMENT_COMMENT_ON] = sql_parse_comment_on,
    [STATEMENT_INSERT] = sql_parse_insert,
    [STATEMENT_COPY_INTO] = sql_parse_copy_into,
    [STATEMENT_DELETE] = sql_parse_delete,
    [STATEMENT_UPDATE] = sql_parse_update,
    [STATEMENT_MERGE] = sql_parse_merge,
    [STATEMENT_TRUNCATE] = sql_parse_truncate,
    [STATEMENT_RESTORE] = sql_parse_restore,
    [STATEMENT_OPTIMIZE] = sql_parse_optimize,
    [STATEMENT_REORG] = sql_parse_reorg,
    [STATEMENT_VACUUM] = sql_parse_vacuum,
    [STATEMENT_DESCRIBE_HISTORY] = sql_parse_describe_history,
    [STATEMENT_DESCRIBE_DETAIL] = sql_parse_describe_detail,
    [STATEMENT_DESCRIBE_FILES] = sql_parse_describe_files,
    [STATEMENT_DESCRIBE_TABLE] = sql_parse_describe_table,
    [STATEMENT_SHOW_TABLES] = sql_parse_show_tables,
    [STATEMENT_SHOW_VIEWS] = sql_parse_show_tables,
    [STATEMENT_SHOW_SCHEMAS] = sql_parse_show_schemas,
    [STATEMENT_SHOW_CATALOGS] = sql_parse_show_catalogs,
    [STATEMENT_SHOW_COLUMNS] = sql_parse_show_columns,
    [STATEMENT_SHOW_TBLPROPERTIES] = sql_parse_show_tblproperties,
    [STATEMENT_DESCRIBE_SCHEMA] = sql_parse_describe_schema,
    [STATEMENT_SHOW_PARTITIONS] = sql_parse_show_partitions,
    [STATEMENT_SHOW_CREATE_TABLE] = sql_parse_show_create_table,
    [STATEMENT_SHOW_CURRENT] = sql_parse_show_current,
    [STATEMENT_EXPLAIN] = sql_parse_explain,
    [STATEMENT_CACHE_TABLE] = sql_parse_cache_table,
    [STATEMENT_UNCACHE_TABLE] = sql_parse_uncache_table,
    [STATEMENT_CLEAR_CACHE] = sql_parse_clear_cache,
    [STATEMENT_USE] = sql_parse_use,
    [STATEMENT_SET] = sql_parse_set,
    [STATEMENT_BEGIN] = sql_parse_transaction,
    [STATEMENT_COMMIT] = sql_parse_transaction,
    [STATEMENT_ROLLBACK] = sql_parse_transaction,
    [STATEMENT_RESET] = sql_parse_reset,
    [STATEMENT_DECLARE] = sql_parse_declare,
    [STATEMENT_SET_VARIABLE] = sql_parse_set_variable,
    [STATEMENT_DROP_VARIABLE] = sql_parse_drop_variable,
    [STATEMENT_CREATE_FUNCTION] = sql_parse_create_function,
    [STATEMENT_DROP_FUNCTION] = sql_parse_drop_function,
    [STATEMENT_SHOW_FUNCTIONS] = sql_parse_show_functions,
    [STATEMENT_DESCRIBE_FUNCTION] = sql_parse_describe_function,
    [STATEMENT_PREPARE] = sql_parse_prepare,
    [STATEMENT_EXECUTE] = sql_parse_execute,
    [STATEMENT_DEALLOCATE] = sql_parse_deallocate,
};

static const struct {
    const char *words, *hint;
} unsupported[] = {
#define UNSUPPORTED(WORDS, HINT) {WORDS, HINT},
#include "sql/unsupported.def"
#undef UNSUPPORTED
};

const struct statement_info *statement_info(enum statement_kind kind) { return &infos[(unsigned)kind < STATEMENT_COUNT ? kind : STATEMENT_SELECT]; }

/* ---- phrases --------------------------------------------------------------------------- */

enum { PHRASES_MAX = 384 };

/* Every sequence of words that a statement begins with. */
struct phrases {
    struct str words[PHRASES_MAX];
    int kind[PHRASES_MAX]; /* statement_kind, or -1 - index into unsupported */
    size_t count;
};

static void phrases_collect(struct phrases *all)
{
    all->count = 0;
    for (int k = 0; k < STATEMENT_COUNT; k++)
        for (const char *at = infos[k].words; at && all->count < PHRASES_MAX;) {
            const char *end = strchr(at, '|');
            all->kind[all->count] = k;
            all->words[all->count++] = (struct str){at, end ? (size_t)(end - at) : strlen(at)};
            at = end ? end + 1 : NULL;
        }
    for (size_t i = 0; i < VV_ARRAY_COUNT(unsupported) && all->count < PHRASES_MAX; i++) {
        all->kind[all->count] = -1 - (int)i;
        all->words[all->count++] = str_of(unsupported[i].words);
    }
}

/* Takes the next word off *phrase. */
static struct str next_word(struct str *phrase)
{
    const char *blank = memchr(phrase->ptr, ' ', phrase->len);
    struct str word = {phrase->ptr, blank ? (size_t)(blank - phrase->ptr) : phrase->len};
    *phrase = str_sub(*phrase, word.len, phrase->len - word.len);
    *phrase = str_trim(*phrase);
    return word;
}

/* How many leading words of the phrase the cursor has; *p moves past them. *rest is what is left of the phrase. */
static size_t phrase_match(struct sql_parser *p, struct str phrase, struct str *rest)
{
    size_t matched = 0;
    *rest = phrase;
    while (phrase.len) {
        struct str word = next_word(&phrase);
        bool fits = (p->token.kind == SQL_WORD || p->token.kind == SQL_SYMBOL) && str_ieq(sql_token_text(p->text, p->token), word);
        if (!fits)
            break;
        sql_advance(p);
        matched++;
        *rest = phrase;
    }
    return matched;
}

/* DESCRIBE history, DESCRIBE detail.t: a table or schema that is called like a form of DESCRIBE. */
static bool names_a_table(const struct sql_parser *start, const struct sql_parser *behind, size_t words)
{
    bool describe = sql_at_word(start, "DESCRIBE") || sql_at_word(start, "DESC");
    return describe && words > 1 && (behind->token.kind == SQL_END || sql_at_symbol(behind, ".") || sql_at_symbol(behind, ";"));
}

/* ---- what is no statement ------------------------------------------------------------------ */

/* The words that could stand at p, after `matched` words that are right. */
static size_t next_words(const struct sql_parser *start, const struct phrases *all, size_t matched, bool supported_only, struct str *words)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct sql_parser p = *start;
        struct str rest;
        if ((supported_only && all->kind[i] < 0) || phrase_match(&p, all->words[i], &rest) != matched || !rest.len)
            continue;
        struct str word = next_word(&rest);
        bool known = word.ptr[0] == '(';
        for (size_t w = 0; w < count; w++)
            known |= str_eq(words[w], word);
        if (!known)
            words[count++] = word;
    }
    return count;
}

static void append_words(struct buf *out, const struct str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_z(out, i == 0 ? "" : i + 1 < count ? ", " : " or ");
        buf_str(out, words[i]);
    }
}

static enum status no_statement(struct sql_parser *start, const struct phrases *all)
{
    struct str words[PHRASES_MAX];
    struct sql_parser at = *start;
    struct str rest, found;
    size_t matched = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct sql_parser p = *start;
        size_t n = phrase_match(&p, all->words[i], &rest);
        if (n > matched) {
            matched = n;
            at = p;
        }
    }
    struct buf wanted = BUF_INIT;
    append_words(&wanted, words, next_words(start, all, matched, matched > 0, words));
    if (at.token.kind == SQL_ERROR) {
        sql_bad_token(at.text, at.token, at.err);
    } else if (matched == 0 && at.token.kind == SQL_WORD) {
        found = sql_shown(sql_token_text(at.text, at.token));
        error_set(at.err, STATUS_SYNTAX, "no statement begins with \"%.*s\"", STR_ARG(found));
        sql_mark(at.err, at.token.start, STATUS_SYNTAX);
    } else {
        sql_expected(&at, matched && wanted.len ? wanted.ptr : "a statement");
    }
    size_t count = next_words(start, all, matched, false, words);
    struct str near = at.token.kind == SQL_WORD ? str_nearest(sql_token_text(at.text, at.token), words, count) : STR_NULL;
    if (near.ptr) {
        struct str before = str_sub(start->text, start->token.start, matched ? at.last_end - start->token.start : 0);
        error_hint(at.err, "did you mean %.*s%s%.*s?", STR_ARG(sql_shown(before)), matched ? " " : "", STR_ARG(near));
    } else if (matched == 0 && at.token.kind != SQL_ERROR) {
        count = next_words(start, all, 0, true, words);
        buf_clear(&wanted);
        append_words(&wanted, words, count);
        error_hint(at.err, "statements begin with %s", wanted.ptr ? wanted.ptr : "SELECT");
    }
    buf_release(&wanted);
    return STATUS_SYNTAX;
}

/* ---- the parser ----------------------------------------------------------------------------- */

/* Moves p past the leading words and says whose they are. */
static enum status take_leading_words(struct sql_parser *p, int *kind)
{
    struct phrases all;
    struct sql_parser best = *p;
    size_t most = 0;
    phrases_collect(&all);
    for (size_t i = 0; i < all.count; i++) {
        struct sql_parser at = *p;
        struct str rest;
        size_t matched = phrase_match(&at, all.words[i], &rest);
        if (rest.len || matched <= most || names_a_table(p, &at, matched))
            continue;
        most = matched;
        best = at;
        *kind = all.kind[i];
    }
    if (!most)
        return no_statement(p, &all);
    *p = best;
    return STATUS_OK;
}

static enum status refuse_statement(struct sql_parser *start, int kind)
{
    return sql_refuse(start, unsupported[-1 - kind].words, unsupported[-1 - kind].hint);
}

enum status sql_parse(struct arena *arena, struct str text, struct statement *out, struct error *err)
{
    struct sql_parser start = sql_parser_at(arena, text, 0, err), p = start;
    struct statement st = {.text = text, .limit = -1};
    int kind = 0;
    *out = (struct statement){0};
    if (p.token.kind == SQL_END)
        return sql_mark(err, p.token.start, error_set(err, STATUS_SYNTAX, "the statement is empty"));
    enum status status = take_leading_words(&p, &kind);
    if (status != STATUS_OK)
        return status;
    if (kind < 0)
        return refuse_statement(&start, kind);
    st.kind = (enum statement_kind)kind;
    if (st.kind == STATEMENT_SELECT)
        p = start; /* its first word belongs to the query */
    if (st.kind == STATEMENT_SELECT && sql_take_change_behind_with(&start, &st))
        p = start;
    status = parsers[st.kind](&p, &st);
    if (status == STATUS_OK)
        *out = st;
    return status;
}
