/* search/search_test.c: from rows to pages, with names as they are listed. */
#include "search/search_int.h"

#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static const char *const columns[] = {"symbol", "security", "sector", "added", "cik"};
/* Rows as JSON values. */
static const char *const companies[][5] = {
    {"\"AAPL\"", "\"Apple Inc.\"", "\"Information Technology\"", "\"1982-11-30\"", "320193"},
    {"\"APLE\"", "\"Apple Hospitality REIT, Inc.\"", "\"Real Estate\"", "\"2015-05-18\"", "1418121"},
    {"\"AMAT\"", "\"Applied Materials\"", "\"Information Technology\"", "\"1995-03-16\"", "6951"},
    {"\"MSFT\"", "\"Microsoft\"", "\"Information Technology\"", "\"1994-06-01\"", "789019"},
    {"\"T\"", "\"AT&T\"", "\"Communication Services\"", "\"1983-11-30\"", "732717"},
    {"\"BRK.B\"", "\"Berkshire Hathaway\"", "\"Financials\"", "\"2010-02-16\"", "1067983"},
    {"\"BF.B\"", "\"Brown\\u2013Forman\"", "\"Consumer Staples\"", "\"1982-10-31\"", "14693"},
    {"\"SPGI\"", "\"S&P Global\"", "\"Financials\"", "\"1957-03-04\"", "64040"},
    {"\"SPX\"", "\"S&P 500 Index\"", "null", "null", "null"},
    {"\"MCD\"", "\"McDonald's\"", "\"Consumer Discretionary\"", "\"1970-06-30\"", "63908"},
    {"\"EL\"", "\"Estée Lauder Companies (The)\"", "\"Consumer Staples\"", "\"2006-01-05\"", "1001250"},
    {"\"A\"", "\"Agilent Technologies\"", "\"Health Care\"", "\"2000-06-05\"", "1090872"},
    {"\"ABT\"", "\"Abbott Laboratories\"", "\"Health Care\"", "\"1957-03-04\"", "1800"},
    {"\"TROW\"", "\"T. Rowe Price\"", "\"Financials\"", "\"2019-07-29\"", "1113169"},
    {"\"MMM\"", "\"3M\"", "\"Industrials\"", "\"1957-03-04\"", "66740"},
    {"\"XSS\"", "\"<img onerror=\\\"alert(1)\\\">\"", "\"Information Technology\"", "\"2024-12-31T23:30:00Z\"", "-1"},
    {"\"7203\"", "\"トヨタ自動車\"", "\"Consumer Discretionary\"", "\"2024-01-02\"", "1094517"},
    {"\"SBER\"", "\"Сбербанк России\"", "\"Financials\"", "\"2011-01-01\"", "0"},
};
enum { AAPL, APLE, AMAT, MSFT, ATT, BRKB, BFB, SPGI, SPX, MCD, EL, AGILENT, ABT, TROW, MMM, IMG, TOYOTA, SBER, ROWS };

static const char *const config_text =
    "{\"search\":{\"tables\":{\"gold.companies\":{\"columns\":{\"id\":\"symbol\",\"title\":\"security\",\"category\":\"sector\",\"date\":\"added\"},"
    "\"searchColumns\":[\"symbol\",\"security\",\"sector\"]}}}}";

static enum status build(struct search_config *config, struct search_index **out, struct error *err)
{
    *out = NULL;
    struct search_builder *b;
    enum status status = search_builder_new(&config->tables[0], columns, VV_ARRAY_COUNT(columns), &b, err);
    for (int row = 0; row < ROWS && status == STATUS_OK; row++) {
        struct str values[5];
        for (int c = 0; c < 5; c++)
            values[c] = str_of(companies[row][c]);
        status = search_builder_row(b, values, err);
    }
    if (status == STATUS_OK)
        return search_builder_finish(b, out, err);
    search_builder_free(b);
    return status;
}

struct fixture {
    struct search_config config;
    struct search_index *index;
    struct search_page page;
    struct arena arena;
    struct error err;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->err = ERROR_INIT;
    assert_int_equal(search_config_parse(str_of(config_text), &f->config, &f->err), STATUS_OK);
    assert_int_equal(build(&f->config, &f->index, &f->err), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    search_page_release(&f->page);
    search_index_free(f->index);
    search_config_release(&f->config);
    arena_release(&f->arena);
    error_release(&f->err);
    mem_free(f);
    return 0;
}

static void run(struct fixture *f, const struct search_request *request)
{
    search_page_release(&f->page);
    enum status status = search_run(f->index, request, &f->page, &f->err);
    if (status != STATUS_OK)
        fail_msg("%s", f->err.message);
}

static void ask(struct fixture *f, const char *text) { run(f, &(struct search_request){.text = str_of(text), .limit = 20}); }

static void assert_first(struct fixture *f, const char *text, uint32_t row, const char *type)
{
    ask(f, text);
    if (f->page.hit_count == 0)
        fail_msg("\"%s\" finds nothing", text);
    if (f->page.hits[0].row != row)
        fail_msg("\"%s\" finds row %u first, not %u", text, f->page.hits[0].row, row);
    assert_true(f->page.hits[0].score > 0 && f->page.hits[0].score <= 1);
    struct str got = f->page.hits[0].match_type;
    if (!str_eq(got, str_of(type)))
        fail_msg("\"%s\" matches as %.*s, not %s", text, STR_ARG(got), type);
}

static bool finds(struct fixture *f, const char *text, uint32_t row)
{
    ask(f, text);
    for (size_t i = 0; i < f->page.hit_count; i++)
        if (f->page.hits[i].row == row)
            return true;
    return false;
}

static void test_codes_and_names(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "AAPL", AAPL, "exact");
    assert_first(f, "aapl", AAPL, "exact");
    assert_first(f, "appl", AAPL, "prefix");
    assert_first(f, "apple", AAPL, "term");
    assert_int_equal(f->page.total, 2);
    assert_first(f, "apple inc", AAPL, "exact");
    assert_first(f, "Apple, Inc.", AAPL, "exact");
    assert_first(f, "apple hosp", APLE, "prefix");
    assert_first(f, "microsoft", MSFT, "exact");
    assert_first(f, "A", AGILENT, "exact");
    assert_int_equal(f->page.total, 1);
    ask(f, "320193"); /* in a column that is not searched */
    assert_int_equal(f->page.total, 0);
}

static void test_words_in_several_columns(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "apple technology", AAPL, "term");
    assert_int_equal(f->page.total, 1);
    assert_first(f, "technology apple", AAPL, "term");
    assert_first(f, "AAPL technology sector", AAPL, "term"); /* "sector" is a column's name and narrows nothing */
    assert_first(f, "technology sector", AAPL, "term");
    assert_int_equal(f->page.total, 4);
}

static void test_punctuation(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "S&P 500", SPX, "term");
    assert_first(f, "S&P 500 index", SPX, "exact");
    assert_first(f, "s&p", SPGI, "term");
    assert_first(f, "AT&T", ATT, "exact");
    assert_first(f, "att", ATT, "exact");
    assert_first(f, "brk.b", BRKB, "exact");
    assert_first(f, "BRK-B", BRKB, "exact");
    assert_first(f, "brkb", BRKB, "exact");
    assert_first(f, "brk b", BRKB, "term");
    assert_first(f, "mcdonalds", MCD, "exact");
    assert_first(f, "McDonald\xE2\x80\x99s", MCD, "exact");
    assert_first(f, "mcdonald", MCD, "term");
    assert_first(f, "3m", MMM, "exact");
    assert_first(f, "brown-forman", BFB, "exact");
    assert_first(f, "<img onerror", IMG, "term");
    ask(f, "!!! --- \"' &");
    assert_int_equal(f->page.total, 0);
}

static void test_scripts_and_accents(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "estee lauder", EL, "term");
    assert_first(f, "ESTÉE", EL, "term");
    assert_first(f,
                 "este\xCC\x81"
                 "e",
                 EL, "term"); /* combining accent */
    assert_first(f, "сбербанк", SBER, "term");
    assert_first(f, "自動車", TOYOTA, "term");
    assert_first(f, "ＡＡＰＬ", AAPL, "exact"); /* full width */
    ask(f, "\xFF\xFE\x80 \xC3");
    assert_int_equal(f->page.total, 0);
    assert_first(f, "apple \xFF", AAPL, "term");
}

static void test_typos(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "microsft", MSFT, "fuzzy");
    assert_first(f, "mircosoft", MSFT, "fuzzy"); /* swapped neighbours are one edit */
    assert_first(f, "berkshiar", BRKB, "fuzzy"); /* two edits from eight letters on */
    assert_first(f, "aplpe", AAPL, "fuzzy");
    assert_first(f, "aple", APLE, "exact"); /* a code beats the typo of a name */
    assert_true(finds(f, "abbot", ABT));
    ask(f, "msf");
    assert_true(f->page.hits[0].row == MSFT); /* a start */
    ask(f, "mxft");
    assert_int_equal(f->page.total, 1); /* one edit from four letters on */
    ask(f, "mxf");
    assert_int_equal(f->page.total, 0); /* none below */
    ask(f, "72o3");
    assert_int_equal(f->page.total, 0); /* never for numbers */
    assert_first(f, "aple technology", AAPL, "fuzzy");
}

static void test_falls_back_to_most_words(void **state)
{
    struct fixture *f = *state;
    assert_first(f, "AAPL price", AAPL, "exact");
    assert_true(finds(f, "AAPL price", TROW));
    assert_int_equal(f->page.total, 2);
    assert_true(f->page.hits[0].score < 0.7);
    assert_first(f, "health care zebra", ABT < AGILENT ? ABT : AGILENT, "term");
    assert_int_equal(f->page.total, 2);
    ask(f, "zzzzqqqq xxxxyyyy");
    assert_int_equal(f->page.total, 0);
    assert_int_equal(f->page.hit_count, 0);
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    run(f, &(struct search_request){.limit = 5});
    assert_int_equal(f->page.total, ROWS);
    assert_int_equal(f->page.hit_count, 5);
    assert_int_equal(f->page.hits[4].row, 4);
    assert_true(str_eq(f->page.hits[0].match_type, STR("all")));
    run(f, &(struct search_request){.offset = ROWS - 2, .limit = 5});
    assert_int_equal(f->page.hit_count, 2);
    assert_int_equal(f->page.hits[1].row, ROWS - 1);
    run(f, &(struct search_request){.offset = 1000, .limit = 5});
    assert_int_equal(f->page.hit_count, 0);
    assert_int_equal(f->page.total, ROWS);
    run(f, &(struct search_request){.offset = SIZE_MAX, .limit = SIZE_MAX, .text = STR("apple")});
    assert_int_equal(f->page.hit_count, 0);
    assert_int_equal(f->page.total, 2);
    run(f, &(struct search_request){.limit = 0, .text = STR("apple")});
    assert_int_equal(f->page.total, 2);
}

/* Pages joined give the same rows as one page, whatever their size. */
static void test_pages_join(void **state)
{
    struct fixture *f = *state;
    uint32_t whole[ROWS];
    run(f, &(struct search_request){.text = STR("te"), .limit = 100});
    size_t total = f->page.hit_count;
    assert_true(total >= 4);
    for (size_t i = 0; i < total; i++)
        whole[i] = f->page.hits[i].row;
    for (size_t limit = 1; limit < 4; limit++)
        for (size_t offset = 0; offset < total; offset++) {
            run(f, &(struct search_request){.text = STR("te"), .offset = offset, .limit = limit});
            for (size_t i = 0; i < f->page.hit_count; i++)
                assert_int_equal(f->page.hits[i].row, whole[offset + i]);
        }
}

static void test_order(void **state)
{
    struct fixture *f = *state;
    struct search_request r = {.text = STR("technology"), .sort_by = STR("name"), .limit = 10};
    run(f, &r);
    assert_int_equal(f->page.hits[0].row, IMG);
    assert_int_equal(f->page.hits[1].row, AAPL);
    assert_int_equal(f->page.hits[3].row, MSFT);
    r.sort_by = STR("date");
    run(f, &r);
    assert_int_equal(f->page.hits[0].row, IMG); /* newest first */
    assert_int_equal(f->page.hits[3].row, AAPL);
    r.has_order = r.ascending = true;
    run(f, &r);
    assert_int_equal(f->page.hits[0].row, AAPL);
    r = (struct search_request){.sort_by = STR("cik"), .limit = 100};
    run(f, &r);
    assert_int_equal(f->page.hits[0].row, IMG); /* -1: as numbers */
    assert_int_equal(f->page.hits[1].row, SBER);
    assert_int_equal(f->page.hits[ROWS - 1].row, SPX); /* NULL last */
    r.has_order = true;
    run(f, &r);
    assert_int_equal(f->page.hits[0].row, APLE);
    assert_int_equal(f->page.hits[ROWS - 1].row, SPX);
    r.sort_by = STR("colour");
    search_page_release(&f->page);
    assert_int_equal(search_run(f->index, &r, &f->page, &f->err), STATUS_INVALID_ARGUMENT);
}

static void filter(struct fixture *f, const char *text, const char *json)
{
    struct search_filter *filters;
    uint32_t count;
    enum status status = search_filters_parse(&f->arena, &f->config.tables[0], str_of(json), &filters, &count, &f->err);
    if (status != STATUS_OK)
        fail_msg("%s", f->err.message);
    run(f, &(struct search_request){.text = str_of(text), .filters = filters, .filter_count = count, .limit = 100});
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    filter(f, "apple", "{\"category\":[\"real estate\"]}");
    assert_int_equal(f->page.total, 1);
    assert_int_equal(f->page.hits[0].row, APLE);
    filter(f, "", "{\"category\":\"Information Technology\",\"dateRange\":{\"start\":\"1990-01-01\"}}");
    assert_int_equal(f->page.total, 3);
    filter(f, "", "{\"dateRange\":{\"start\":\"1957-03-04\",\"end\":\"1957-03-04\"}}");
    assert_int_equal(f->page.total, 3);
    filter(f, "", "{\"dateRange\":{\"start\":\"2024-12-31\",\"end\":\"2024-12-31\"}}"); /* the whole last day */
    assert_int_equal(f->page.total, 1);
    filter(f, "", "{\"dateRange\":{\"start\":\"\",\"end\":null}}");
    assert_int_equal(f->page.total, ROWS - 1); /* a range never holds for NULL */
    filter(f, "", "{\"custom\":{\"cik\":{\"min\":0,\"max\":2000}}}");
    assert_int_equal(f->page.total, 2);
    filter(f, "", "{\"custom\":{\"symbol\":[\"aapl\",\"MSFT\",\"none\"],\"cik\":[320193.0]}}");
    assert_int_equal(f->page.total, 1);
    filter(f, "", "{\"category\":[]}");
    assert_int_equal(f->page.total, 0);
    filter(f, "", " ");
    assert_int_equal(f->page.total, ROWS);
    filter(f, "apple hospitality", "{\"category\":[\"Energy\"]}"); /* no falling back past a filter */
    assert_int_equal(f->page.total, 0);
    filter(f, "AAPL price", "{\"category\":[\"Financials\"]}");
    assert_int_equal(f->page.total, 1);
    assert_int_equal(f->page.hits[0].row, TROW);
}

static void test_bad_filters(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "{", "[]", "3", "{\"categry\":\"x\"}", "{\"category\":{\"like\":1}}", "{\"category\":[[1]]}", "{\"dateRange\":\"2024\"}", "{\"custom\":1}"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        struct search_filter *filters;
        uint32_t count;
        assert_int_equal(search_filters_parse(&f->arena, &f->config.tables[0], str_of(bad[i]), &filters, &count, &f->err), STATUS_INVALID_ARGUMENT);
        assert_null(filters);
    }
    static const char *const unfit[] = {"{\"dateRange\":{\"start\":\"yesterday\"}}", "{\"custom\":{\"cik\":\"many\"}}",
                                        "{\"custom\":{\"colour\":\"red\"}}", "{\"type\":[\"stock\"]}"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(unfit); i++) {
        struct search_filter *filters;
        uint32_t count;
        assert_int_equal(search_filters_parse(&f->arena, &f->config.tables[0], str_of(unfit[i]), &filters, &count, &f->err), STATUS_OK);
        struct search_request r = {.filters = filters, .filter_count = count, .limit = 1};
        assert_int_equal(search_run(f->index, &r, &f->page, &f->err), STATUS_INVALID_ARGUMENT);
        assert_null(f->page.hits);
    }
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(search_index_rows(f->index), ROWS);
    assert_true(search_index_bytes(f->index) > 1000);
    assert_true(str_eq(search_value(f->index, AAPL, STR("security")), STR("\"Apple Inc.\"")));
    assert_true(str_eq(search_value(f->index, SPX, STR("cik")), STR("null")));
    assert_true(str_eq(search_value(f->index, IMG, STR("CIK")), STR("-1")));
    assert_null(search_value(f->index, AAPL, STR("colour")).ptr);
    assert_null(search_value(f->index, ROWS, STR("cik")).ptr);
    assert_true(str_eq(search_index_config(f->index)->table, STR("gold.companies")));
}

static void test_long_texts(void **state)
{
    struct fixture *f = *state;
    char text[SEARCH_MAX_TEXT + 2];
    memset(text, 'a', sizeof text);
    struct search_request r = {.text = {text, sizeof text - 1}, .limit = 1};
    assert_int_equal(search_run(f->index, &r, &f->page, &f->err), STATUS_LIMIT_EXCEEDED);
    r.text.len--;
    assert_int_equal(search_run(f->index, &r, &f->page, &f->err), STATUS_OK);
    size_t len = 0;
    for (int i = 0; i < 40; i++)
        len += (size_t)sprintf(text + len, "w%d ", i);
    r.text.len = len;
    search_page_release(&f->page);
    assert_int_equal(search_run(f->index, &r, &f->page, &f->err), STATUS_LIMIT_EXCEEDED);
}

static void test_bad_rows(void **state)
{
    struct fixture *f = *state;
    struct search_builder *b;
    static const char *const none[] = {"a"};
    assert_int_equal(search_builder_new(&f->config.tables[0], none, 1, &b, &f->err), STATUS_COLUMN_NOT_FOUND);
    assert_null(b);
    assert_int_equal(search_builder_new(&f->config.tables[0], columns, 5, &b, &f->err), STATUS_OK);
    static const char *const bad[] = {"", "\"", "abc", "{", "[1", "\"bad \\x escape\"", "\"\\ud800 \\\""};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        struct str row[5] = {str_of(bad[i]), STR("null"), STR("null"), STR("null"), STR("null")};
        assert_true(search_builder_row(b, row, &f->err) != STATUS_OK);
    }
    struct str row[5] = {STR("\"OK\""), STR("null"), STR("[\"tag one\",\"tag two\"]"), STR("{\"a\":1}"), STR("1")};
    assert_int_equal(search_builder_row(b, row, &f->err), STATUS_OK);
    struct search_index *x;
    assert_int_equal(search_builder_finish(b, &x, &f->err), STATUS_OK);
    assert_int_equal(search_index_rows(x), 1); /* the refused ones left nothing behind */
    struct search_request r = {.text = STR("escape"), .limit = 1};
    assert_int_equal(search_run(x, &r, &f->page, &f->err), STATUS_OK);
    assert_int_equal(f->page.total, 0);
    r.text = STR("two");
    assert_int_equal(search_run(x, &r, &f->page, &f->err), STATUS_OK);
    assert_int_equal(f->page.total, 1);
    search_index_free(x);
}

static void test_empty_index_and_limit(void **state)
{
    struct fixture *f = *state;
    struct search_builder *b;
    struct search_index *x;
    assert_int_equal(search_builder_new(&f->config.tables[0], columns, 5, &b, &f->err), STATUS_OK);
    assert_int_equal(search_builder_finish(b, &x, &f->err), STATUS_OK);
    struct search_request r = {.text = STR("apple"), .limit = 1, .sort_by = STR("cik")};
    assert_int_equal(search_run(x, &r, &f->page, &f->err), STATUS_OK);
    assert_int_equal(f->page.total, 0);
    r.text = STR_NULL;
    assert_int_equal(search_run(x, &r, &f->page, &f->err), STATUS_OK);
    search_index_free(x);

    assert_int_equal(search_builder_new(&f->config.tables[0], columns, 5, &b, &f->err), STATUS_OK);
    search_builder_limit(b, 100000);
    struct str row[5] = {STR("\"S\""), STR("\"Some name\""), STR("null"), STR("null"), STR("1")};
    enum status status = STATUS_OK;
    for (int i = 0; i < 100000 && status == STATUS_OK; i++)
        status = search_builder_row(b, row, &f->err);
    assert_int_equal(status, STATUS_LIMIT_EXCEEDED);
    search_builder_free(b);
}

static void test_memory_that_runs_out(void **state)
{
    struct fixture *f = *state;
    enum status status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        struct search_index *x;
        alloc_fail_after(n);
        status = build(&f->config, &x, NULL);
        alloc_fail_after(0);
        /* Giving back spare room may fail without harm. */
        assert_true(status == STATUS_OUT_OF_MEMORY || status == STATUS_OK);
        assert_int_equal(status == STATUS_OK, x != NULL);
        search_index_free(x);
    }
    status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        struct search_index *x;
        assert_int_equal(build(&f->config, &x, NULL), STATUS_OK);
        struct search_filter only = {
            .kind = SEARCH_FILTER_IN, .column = STR("sector"), .values = (const struct str[]){STR("financials")}, .value_count = 1};
        struct search_request r = {.text = STR("mircosoft te zebra"), .filters = &only, .filter_count = 1, .sort_by = STR("date"), .limit = 10};
        struct search_page page;
        alloc_fail_after(n);
        status = search_run(x, &r, &page, NULL);
        alloc_fail_after(0);
        assert_true(status == STATUS_OUT_OF_MEMORY || status == STATUS_OK);
        search_page_release(&page);
        search_index_free(x);
    }
}

static void *ask_many(void *arg)
{
    struct search_index *x = arg;
    static const char *const sorts[] = {"date", "name", "cik", "sector", ""};
    for (int i = 0; i < 200; i++) {
        struct search_request r = {.text = STR("technology"), .sort_by = str_of(sorts[i % 5]), .limit = 3};
        struct search_page page;
        if (search_run(x, &r, &page, NULL) != STATUS_OK || page.total != 4)
            return x;
        search_page_release(&page);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, f->index), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_codes_and_names),
        TEST(test_words_in_several_columns),
        TEST(test_punctuation),
        TEST(test_scripts_and_accents),
        TEST(test_typos),
        TEST(test_falls_back_to_most_words),
        TEST(test_pages),
        TEST(test_pages_join),
        TEST(test_order),
        TEST(test_filters),
        TEST(test_bad_filters),
        TEST(test_values),
        TEST(test_long_texts),
        TEST(test_bad_rows),
        TEST(test_empty_index_and_limit),
        TEST(test_memory_that_runs_out),
        TEST(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
