/* search/parts_test.c: tokens, postings, the dictionary and the configuration, each against a plain way to do the same. */
#include "search/search_int.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* The chunks of a text as "joined(part part) …". */
static void assert_chunks(const char *text, const char *expected)
{
    struct buf out = BUF_INIT;
    struct chunk c;
    for (size_t at = 0; chunk_next(str_of(text), &at, &c);) {
        if (out.len)
            buf_char(&out, ' ');
        buf_append(&out, c.text, c.len);
        for (uint32_t p = 0; p < c.part_count; p++) {
            buf_z(&out, p ? " " : "(");
            buf_str(&out, chunk_part(&c, p));
        }
        if (c.part_count)
            buf_char(&out, ')');
    }
    assert_string_equal(out.ptr ? out.ptr : "", expected);
    buf_release(&out);
}

static void test_chunks(void **state)
{
    (void)state;
    assert_chunks("", "");
    assert_chunks(" .,;& ", "");
    assert_chunks("Apple Inc.", "apple inc");
    assert_chunks("AT&T", "att(at t)");
    assert_chunks("S&P 500 (SPX)", "sp(s p) 500 spx");
    assert_chunks("BRK.B brk/b", "brkb(brk b) brkb(brk b)");
    assert_chunks("1,234.50 3.5%", "1234.50 3.5");
    assert_chunks("a,b", "a b");
    assert_chunks("2024-03-15", "20240315(2024 03 15)");
    assert_chunks("Société Générale", "societe generale");
    assert_chunks("Straße Łódź Ærø", "strasse lodz aero");
    assert_chunks("Ωmega ΣΑΣ", "ωmega σασ");
    assert_chunks("東京 A", "東 京 a");
    assert_chunks("ab\xFF"
                  "cd",
                  "ab cd");
    assert_chunks("--a--b--", "a b");
    assert_chunks("a&b&", "ab(a b)");
}

static void test_long_chunk(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text);
    struct chunk c;
    size_t at = 0, total = 0;
    while (chunk_next((struct str){text, sizeof text}, &at, &c)) {
        assert_in_range(c.len, 1, TOKEN_MAX);
        total += c.len;
    }
    assert_int_equal(total, sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = '.';
    at = total = 0;
    while (chunk_next((struct str){text, sizeof text}, &at, &c)) {
        assert_in_range(c.part_count, 0, TOKEN_MAX_PARTS);
        total += c.len;
    }
    assert_int_equal(total, sizeof text / 2);
}

/* Ascending rows with gaps of every width. */
static void make_postings(struct posting *p, uint32_t count, uint32_t widest_gap)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        p[i] = (struct posting){row, (uint8_t)(1 + i % 255), (uint8_t)(i % 7)};
        row += 1 + (uint32_t)rand() % widest_gap;
    }
}

static void check_postings(uint32_t count, uint32_t widest_gap)
{
    struct posting *made = malloc(sizeof *made * (count + 1));
    make_postings(made, count, widest_gap);
    struct buf out = BUF_INIT;
    buf_z(&out, "x"); /* not at the start */
    postings_encode(&out, made, count);
    uint8_t *exact = malloc(out.len - 1);
    memcpy(exact, out.ptr + 1, out.len - 1);
    struct postings p = {exact, count};
    struct postings_block block;
    uint32_t seen = 0;
    for (uint32_t b = 0; b < postings_blocks(p); b++) {
        postings_load(p, b, &block);
        for (uint32_t i = 0; i < block.count; i++, seen++) {
            assert_int_equal(block.rows[i], made[seen].row);
            assert_int_equal(block.impacts[i], made[seen].impact);
            assert_int_equal(block.flags[i], made[seen].flags);
            assert_int_equal(postings_seek(p, 0, block.rows[i]), b);
        }
    }
    assert_int_equal(seen, count);
    if (postings_blocks(p) > 1)
        assert_int_equal(postings_seek(p, 0, made[count - 1].row + 1), postings_blocks(p));
    free(exact);
    free(made);
    buf_release(&out);
}

static void test_postings(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 127, 128, 129, 256, 257, 1000, 5000};
    static const uint32_t gaps[] = {1, 100, 300, 70000};
    srand(7);
    for (size_t c = 0; c < VV_ARRAY_COUNT(counts); c++)
        for (size_t g = 0; g < VV_ARRAY_COUNT(gaps); g++)
            check_postings(counts[c], gaps[g]);
}

/* ---- dictionary ------------------------------------------------------------------------ */

struct words {
    char text[20000];
    uint32_t at[1001];
    struct dictionary d;
};

static int compare_z(const void *a, const void *b) { return strcmp(a, b); }

/* Random words over a small alphabet, so that many are near each other. */
static void make_words(struct words *w, uint32_t count)
{
    static char made[1000][12];
    for (uint32_t i = 0; i < count; i++) {
        size_t len = 1 + (size_t)rand() % 9;
        for (size_t k = 0; k < len; k++)
            made[i][k] = (char)("abc"[rand() % 3]);
        made[i][len] = 0;
    }
    qsort(made, count, sizeof made[0], compare_z);
    uint32_t at = 0, kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i && strcmp(made[i], made[i - 1]) == 0)
            continue;
        w->at[kept++] = at;
        memcpy(w->text + at, made[i], strlen(made[i]));
        at += (uint32_t)strlen(made[i]);
    }
    w->at[kept] = at;
    w->d = (struct dictionary){.text = w->text, .text_at = w->at, .term_count = kept};
}

static uint32_t plain_distance(struct str a, struct str b)
{
    uint32_t d[16][16];
    for (uint32_t i = 0; i <= a.len; i++)
        for (uint32_t j = 0; j <= b.len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            uint32_t v = d[i - 1][j] + 1 < d[i][j - 1] + 1 ? d[i - 1][j] + 1 : d[i][j - 1] + 1;
            uint32_t change = d[i - 1][j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            v = change < v ? change : v;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] && d[i - 2][j - 2] + 1 < v)
                v = d[i - 2][j - 2] + 1;
            d[i][j] = v;
        }
    return d[a.len][b.len];
}

static bool note(void *user, uint32_t term, uint32_t edits)
{
    ((uint8_t *)user)[term] = (uint8_t)(edits + 1);
    return true;
}

static void test_dictionary(void **state)
{
    (void)state;
    struct words *w = calloc(1, sizeof *w);
    srand(11);
    make_words(w, 1000);
    static const char *const asked[] = {"abcabc", "a", "cccc", "bacbacba", "zzzz", "abba", ""};
    for (size_t q = 0; q < VV_ARRAY_COUNT(asked); q++) {
        struct str word = str_of(asked[q]);
        uint32_t from, to, term;
        dictionary_prefix(&w->d, word, &from, &to);
        for (uint32_t t = 0; t < w->d.term_count; t++)
            assert_int_equal(str_starts(dictionary_term(&w->d, t), word), t >= from && t < to);
        bool there = false;
        for (uint32_t t = 0; t < w->d.term_count; t++)
            there |= str_eq(dictionary_term(&w->d, t), word);
        assert_int_equal(dictionary_find(&w->d, word, &term), there);
        for (uint32_t edits = 1; edits <= 2; edits++) {
            uint8_t found[1000] = {0};
            dictionary_near(&w->d, word, edits, note, found);
            for (uint32_t t = 0; t < w->d.term_count; t++) {
                uint32_t distance = plain_distance(word, dictionary_term(&w->d, t));
                assert_int_equal(found[t], distance <= edits ? distance + 1 : 0);
            }
        }
    }
    free(w);
}

/* ---- configuration ------------------------------------------------------------------------ */

static void test_config(void **state)
{
    (void)state;
    struct search_config c;
    struct error err = ERROR_INIT;
    /* As published: roles of other names, keys that others read. */
    static const char *const text =
        "{\"database\":{\"type\":\"deltalake\"},\"cache\":{},\"search\":{\"tables\":{\"market_data\":{\"columns\":{\"symbol\":\"symbol\","
        "\"timestamp\":\"timestamp\","
        "\"price\":\"current_price\",\"volume\":\"volume\"},\"searchColumns\":[\"symbol\",\"company_name\",\"sector\"],\"weights\":{\"sector\":1.5},"
        "\"partitionBy\":[\"date\",\"sector\"]},\"b\":{\"searchColumns\":[\"x\"],\"weightConfig\":{\"x\":\"D\"}}}}}";
    assert_int_equal(search_config_parse(str_of(text), &c, &err), STATUS_OK);
    assert_int_equal(c.table_count, 2);
    struct search_table_config *t = &c.tables[0];
    assert_true(str_eq(t->table, STR("market_data")));
    assert_true(str_eq(t->id, STR("symbol")));
    assert_true(str_eq(t->title, STR("company_name")));
    assert_true(str_eq(t->date, STR("timestamp")));
    assert_null(t->category.ptr);
    assert_true(t->weights[0] == 4 && t->weights[1] == 2 && t->weights[2] == 1.5);
    assert_true(c.tables[1].weights[0] == 0.5);
    assert_true(str_eq(c.tables[1].title, STR("x")));
    search_config_release(&c);
    assert_int_equal(search_config_parse(STR("{}"), &c, &err), STATUS_OK);
    assert_int_equal(c.table_count, 0);
    search_config_release(&c);
    error_release(&err);
}

static void test_bad_config(void **state)
{
    (void)state;
    static const char *const bad[] = {"[]",
                                      "{\"serch\":{}}",
                                      "{\"search\":1}",
                                      "{\"search\":{\"table\":{}}}",
                                      "{\"search\":{\"tables\":[]}}",
                                      "{\"search\":{\"tables\":{\"t\":1}}}",
                                      "{\"search\":{\"tables\":{\"t\":{}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[]}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[1]}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[\"a\",\"a\"]}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[\"a\"],\"wights\":{}}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[\"a\"],\"weights\":{\"b\":1}}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[\"a\"],\"weights\":{\"a\":0}}}}}",
                                      "{\"search\":{\"tables\":{\"t\":{\"searchColumns\":[\"a\"],\"columns\":{\"titel\":\"a\"}}}}}",
                                      "{\"search\":{\"tables\":{\"\":{\"searchColumns\":[\"a\"]}}}}"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        struct search_config c;
        struct error err = ERROR_INIT;
        if (search_config_parse(str_of(bad[i]), &c, &err) != STATUS_INVALID_ARGUMENT)
            fail_msg("accepted: %s", bad[i]);
        assert_non_null(err.message);
        if (i == 1)
            assert_non_null(strstr(err.hint, "search"));
        error_release(&err);
    }
    struct search_config c;
    struct error err = ERROR_INIT;
    assert_int_equal(search_config_parse(STR("{"), &c, &err), STATUS_SYNTAX);
    error_release(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),     cmocka_unit_test(test_long_chunk), cmocka_unit_test(test_postings),
        cmocka_unit_test(test_dictionary), cmocka_unit_test(test_config),     cmocka_unit_test(test_bad_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
