#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta/delta_int.h"

#include <stdio.h>

struct table {
    struct arena arena;
    struct delta_type *schema;
    struct delta_metadata m;
    struct delta_protocol p;
};

/* Column ts of the type, and partition columns g0, g1… of the types and expressions. */
static void table_init(struct table *t, const char *base, const char *const (*columns)[2], uint32_t count)
{
    struct buf sql = BUF_INIT;
    *t = (struct table){.arena = ARENA_INIT, .p = {.min_reader_version = 1, .min_writer_version = 4}};
    buf_printf(&sql, "STRUCT<ts: %s", base);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&sql, ", g%u: %s", i, columns[i][0]);
    buf_char(&sql, '>');
    assert_int_equal(delta_type_from_sql(&t->arena, buf_view(&sql), &t->schema, NULL), STATUS_OK);
    buf_release(&sql);
    t->m.partition_columns = ARENA_ARRAY(&t->arena, struct str, count);
    t->m.partition_column_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct delta_field *field = &t->schema->fields[i + 1];
        field->metadata = ARENA_NEW(&t->arena, struct delta_property);
        field->metadata_count = 1;
        assert_true(delta_property_text(&t->arena, STR("delta.generationExpression"), str_of(columns[i][1]), field->metadata));
        t->m.partition_columns[i] = field->name;
    }
}

static void put_value(struct buf *out, const struct delta_value *v)
{
    if (v->type == DELTA_STRING)
        buf_printf(out, "'%.*s'", STR_ARG(v->str));
    else
        buf_i64(out, v->i64);
}

static void put_pred(struct buf *out, const struct delta_pred *p)
{
    static const char *const signs[] = {
        [DELTA_PRED_EQ] = "=", [DELTA_PRED_NE] = "!=", [DELTA_PRED_LT] = "<", [DELTA_PRED_LE] = "<=", [DELTA_PRED_GT] = ">", [DELTA_PRED_GE] = ">="};
    if (p->op == DELTA_PRED_AND || p->op == DELTA_PRED_OR) {
        buf_char(out, '(');
        for (uint32_t i = 0; i < p->child_count; i++) {
            buf_z(out, !i ? "" : p->op == DELTA_PRED_AND ? " & " : " | ");
            put_pred(out, p->children[i]);
        }
        buf_char(out, ')');
        return;
    }
    buf_str(out, p->column[0]);
    if (p->op == DELTA_PRED_IS_NULL) {
        buf_z(out, " null");
        return;
    }
    buf_z(out, p->op == DELTA_PRED_IN ? " in" : signs[p->op]);
    for (uint32_t i = 0; i < p->value_count; i++) {
        buf_z(out, p->op == DELTA_PRED_IN ? " " : "");
        put_value(out, &p->values[i]);
    }
}

static void expect(struct table *t, enum delta_pred_op op, struct delta_value value, const char *wanted)
{
    static const struct str name = STR("ts");
    struct arena arena = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct delta_pred pred = {.op = op, .column = &name, .column_depth = 1, .values = &value, .value_count = 1};
    value.type = t->schema->fields[0].type->id;
    put_pred(&text, delta_pred_generated(&arena, &t->p, &t->m, t->schema, &pred));
    assert_string_equal(text.ptr, wanted);
    buf_release(&text);
    arena_release(&arena);
}

static struct delta_value moment(const char *text)
{
    struct delta_value v = {0};
    bool zone;
    assert_true(timestamp_from_text(str_of(text), &v.i64, &zone));
    return v;
}

static void parts_of_a_time_are_compared_together(void **state)
{
    static const char *const columns[][2] = {{"INT", "YEAR(ts)"}, {"INT", "month( `ts` )"}, {"SMALLINT", "DAY(ts)"}};
    struct table t;
    table_init(&t, "TIMESTAMP_NTZ", columns, 3);
    expect(&t, DELTA_PRED_GE, moment("2024-03-05 06:00:00"), "(ts>=1709618400000000 & (g0>2024 | (g0=2024 & (g1>3 | (g1=3 & g2>=5)))))");
    expect(&t, DELTA_PRED_LT, moment("2024-03-05 06:00:00"), "(ts<1709618400000000 & (g0<2024 | (g0=2024 & (g1<3 | (g1=3 & g2<=5)))))");
    expect(&t, DELTA_PRED_NE, moment("2024-03-05 06:00:00"), "ts!=1709618400000000");
    arena_release(&t.arena);
    /* A month alone says nothing about order. */
    static const char *const month[][2] = {{"INT", "MONTH(ts)"}};
    table_init(&t, "TIMESTAMP_NTZ", month, 1);
    expect(&t, DELTA_PRED_GE, moment("2024-03-05 06:00:00"), "ts>=1709618400000000");
    arena_release(&t.arena);
}

static void instants_have_a_day_of_doubt(void **state)
{
    static const char *const columns[][2] = {{"DATE", "CAST(ts AS DATE)"}};
    struct table t;
    table_init(&t, "TIMESTAMP", columns, 1);
    expect(&t, DELTA_PRED_EQ, moment("1970-01-11 12:00:00"), "(ts=907200000000 & (g0>=9 & g0<=11))");
    arena_release(&t.arena);
    table_init(&t, "TIMESTAMP_NTZ", columns, 1);
    expect(&t, DELTA_PRED_EQ, moment("1970-01-11 12:00:00"), "(ts=907200000000 & (g0>=10 & g0<=10))");
    expect(&t, DELTA_PRED_GT, (struct delta_value){.i64 = INT64_MAX}, "ts>9223372036854775807");
    arena_release(&t.arena);
}

static void texts_keep_what_is_out_of_order(void **state)
{
    static const char *const columns[][2] = {{"STRING", "SUBSTRING(ts, 1, 2)"}};
    static const char *const format[][2] = {{"STRING", "DATE_FORMAT(ts, 'yyyy-MM')"}, {"DATE", "trunc(ts, 'QUARTER')"}};
    struct table t;
    table_init(&t, "STRING", columns, 1);
    expect(&t, DELTA_PRED_LE, (struct delta_value){.str = STR("äöü")}, "(ts<='äöü' & (g0<='äö' | g0 null))");
    arena_release(&t.arena);
    table_init(&t, "DATE", format, 2);
    expect(&t, DELTA_PRED_GE, (struct delta_value){.i64 = 59}, "(ts>=59 & (((g0>='1970-03' | g0 null) | g0<'0') & g1>=0))");
    arena_release(&t.arena);
}

static void what_is_not_known_adds_nothing(void **state)
{
    static const char *const rows[][2] = {{"INT", "YEAR(ts) + 1"},
                                          {"INT", "YEAR(other)"},
                                          {"STRING", "DATE_FORMAT(ts, 'MM-yyyy')"},
                                          {"STRING", "YEAR(ts)"},
                                          {"DATE", "trunc(ts, 'CENTURY')"},
                                          {"INT", "YEAR(ts"},
                                          {"INT", "`"},
                                          {"INT", ""}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++) {
        struct table t;
        table_init(&t, "TIMESTAMP_NTZ", &rows[i], 1);
        expect(&t, DELTA_PRED_GE, (struct delta_value){.i64 = 1}, "ts>=1");
        arena_release(&t.arena);
    }
    /* Without the feature nobody has to keep the column right. */
    static const char *const year[][2] = {{"INT", "YEAR(ts)"}};
    struct table t;
    table_init(&t, "TIMESTAMP_NTZ", year, 1);
    t.p.min_writer_version = 3;
    expect(&t, DELTA_PRED_GE, (struct delta_value){.i64 = 1}, "ts>=1");
    arena_release(&t.arena);
}

static void without_memory_the_predicate_stays(void **state)
{
    static const char *const columns[][2] = {{"INT", "YEAR(ts)"}, {"INT", "MONTH(ts)"}};
    static const struct str name = STR("ts");
    struct table t;
    table_init(&t, "TIMESTAMP_NTZ", columns, 2);
    struct delta_value value = {.type = DELTA_TIMESTAMP_NTZ};
    struct delta_pred pred = {.op = DELTA_PRED_EQ, .column = &name, .column_depth = 1, .values = &value, .value_count = 1};
    struct arena arena = ARENA_INIT;
    alloc_fail_after(1);
    assert_ptr_equal(delta_pred_generated(&arena, &t.p, &t.m, t.schema, &pred), &pred);
    alloc_fail_after(0);
    arena_release(&arena);
    arena_release(&t.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_time_are_compared_together), cmocka_unit_test(instants_have_a_day_of_doubt),
        cmocka_unit_test(texts_keep_what_is_out_of_order),       cmocka_unit_test(what_is_not_known_adds_nothing),
        cmocka_unit_test(without_memory_the_predicate_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
