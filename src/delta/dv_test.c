/* delta/dv_test.c: deletion vectors in files, inline and elsewhere; damaged in every byte. */
#include "delta/log_testing.h"

#include <unistd.h>

/* A vector as Spark writes it: rows 0 and 9. */
static const uint8_t spark_file[] = {1, 0, 0, 0, 0x24, 0xd1, 0xd3, 0x39, 0x64, 1, 0,    0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    0x3a, 0x30,
                                     0, 0, 1, 0, 0,    0,    0,    0,    1,    0, 0x10, 0, 0, 0, 0, 0, 9, 0, 0x2a, 0x67, 0x18, 0x46};
static const struct delta_dv spark_dv = {{"u", 1}, {"vBn[lx{q8@P<9BNH/isA", 20}, 1, 36, 2};
#define SPARK_NAME "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"

struct place {
    struct ctx ctx;
    struct store *memory, *store;
    struct arena arena;
};

static void place_open(struct place *p)
{
    *p = (struct place){0};
    ctx_init(&p->ctx);
    assert_int_equal(store_open_memory(&p->memory, NULL), STATUS_OK);
    assert_int_equal(store_open_fault(p->memory, &p->store, NULL), STATUS_OK);
}

static void place_close(struct place *p)
{
    store_unref(p->store);
    store_unref(p->memory);
    arena_release(&p->arena);
}

static void put(struct place *p, struct str key, const void *bytes, size_t len)
{
    assert_int_equal(store_put(p->memory, &p->ctx, key, bytes, len, NULL), STORE_OK);
}

static void refuses(struct place *p, const struct delta_dv *dv, enum status code, const char *why)
{
    struct error err = ERROR_INIT;
    struct delta_rows *rows = (struct delta_rows *)1;
    assert_int_equal(delta_dv_read(&p->ctx, p->store, dv, &rows, &err), code);
    assert_null(rows);
    if (!strstr(err.message, why))
        print_error("%s\n", err.message);
    assert_non_null(strstr(err.message, why));
    error_release(&err);
}

static void holds(struct place *p, const struct delta_dv *dv, const uint64_t *expected, size_t count)
{
    struct error err = ERROR_INIT;
    struct delta_rows *rows;
    expect_ok(delta_dv_read(&p->ctx, p->store, dv, &rows, &err), &err);
    assert_int_equal(delta_rows_count(rows), count);
    for (size_t i = 0; i < count; i++)
        assert_true(delta_rows_contains(rows, expected[i]));
    delta_rows_free(rows);
}

static void spark_wrote_it(void **state)
{
    static const uint64_t rows[] = {0, 9};
    struct place p;
    struct delta_dv dv = spark_dv;
    place_open(&p);
    put(&p, STR(SPARK_NAME), spark_file, sizeof spark_file);
    holds(&p, &dv, rows, 2);
    dv.offset = -1;
    holds(&p, &dv, rows, 2);
    put(&p, STR("a b/" SPARK_NAME), spark_file, sizeof spark_file);
    dv.path = STR("a bvBn[lx{q8@P<9BNH/isA");
    holds(&p, &dv, rows, 2);
    place_close(&p);
}

static void absolute_path(void **state)
{
    static const uint64_t rows[] = {0, 9};
    char directory[] = "/tmp/varve dv XXXXXX", file[64], encoded[96];
    struct place p;
    struct store *outside;
    place_open(&p);
    assert_non_null(mkdtemp(directory));
    assert_int_equal(store_open_local(&p.ctx, str_of(directory), (struct store_local_options){.durable = false}, &outside, NULL), STATUS_OK);
    assert_int_equal(store_put(outside, &p.ctx, STR("x.bin"), spark_file, sizeof spark_file, NULL), STORE_OK);
    snprintf(file, sizeof file, "%s/x.bin", directory);
    snprintf(encoded, sizeof encoded, "file:///tmp/varve%%20dv%%20%s/x.bin", directory + sizeof "/tmp/varve dv " - 1);
    holds(&p, &(struct delta_dv){STR("p"), str_of(file), 1, 36, 2}, rows, 2);
    holds(&p, &(struct delta_dv){STR("p"), str_of(encoded), 1, 36, 2}, rows, 2);
    unlink(file);
    refuses(&p, &(struct delta_dv){STR("p"), str_of(file), 1, 36, 2}, STATUS_FILE_NOT_FOUND, "x.bin");
    refuses(&p, &(struct delta_dv){STR("p"), STR("s3://b/x.bin"), 1, 36, 2}, STATUS_NOT_SUPPORTED, "s3://b/x.bin");
    refuses(&p, &(struct delta_dv){STR("p"), STR(""), 1, 36, 2}, STATUS_NOT_SUPPORTED, "local file system");
    store_unref(outside);
    rmdir(directory);
    place_close(&p);
}

/* Both magics inline; the protocol's own example has neither, being in the wrong byte order. */
static void inline_vector(void **state)
{
    static const uint64_t rows[] = {3, 4, 7, 11, 18, 29};
    struct place p;
    place_open(&p);
    for (int older = 0; older < 2; older++) {
        struct delta_rows *set = delta_rows_new();
        struct buf blob = BUF_INIT, text = BUF_INIT;
        assert_true(delta_rows_add(set, rows, 6));
        assert_int_equal(delta_rows_encode(set, &blob, NULL), STATUS_OK);
        if (older) {
            /* magic, count, then the length of the bitmap in place of its key */
            uint32_t head[] = {1681511376, 1, (uint32_t)blob.len - 16};
            struct buf array = BUF_INIT;
            buf_append(&array, head, sizeof head);
            buf_append(&array, blob.ptr + 16, blob.len - 16);
            buf_release(&blob);
            blob = array;
        }
        z85_encode(&text, blob.ptr, blob.len);
        struct delta_dv dv = {STR("i"), buf_view(&text), -1, (int64_t)blob.len, 6};
        holds(&p, &dv, rows, 6);
        dv.cardinality = 5;
        refuses(&p, &dv, STATUS_CORRUPT_DATA, "as many rows");
        dv.size_bytes += 4;
        refuses(&p, &dv, STATUS_CORRUPT_LOG, "inline");
        dv.size_bytes = 4;
        refuses(&p, &dv, STATUS_CORRUPT_LOG, "inline");
        delta_rows_free(set);
        buf_release(&blob);
        buf_release(&text);
    }
    refuses(&p, &(struct delta_dv){STR("i"), STR("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"), -1, 40, 6}, STATUS_CORRUPT_DATA, "magic");
    refuses(&p, &(struct delta_dv){STR("i"), STR("wi5"), -1, 3, 6}, STATUS_CORRUPT_LOG, "Z85");
    place_close(&p);
}

static void bad_descriptors(void **state)
{
    struct place p;
    struct delta_dv dv = spark_dv;
    place_open(&p);
    refuses(&p, &dv, STATUS_FILE_NOT_FOUND, SPARK_NAME);
    put(&p, STR(SPARK_NAME), spark_file, sizeof spark_file);
    dv.offset = 0;
    refuses(&p, &dv, STATUS_CORRUPT_DATA, SPARK_NAME);
    dv.offset = INT64_MAX;
    refuses(&p, &dv, STATUS_CORRUPT_DATA, "too early");
    dv = spark_dv;
    dv.size_bytes = INT32_MAX;
    refuses(&p, &dv, STATUS_CORRUPT_DATA, "too early");
    dv.size_bytes = 35;
    refuses(&p, &dv, STATUS_CORRUPT_DATA, "size");
    dv.size_bytes = 0;
    refuses(&p, &dv, STATUS_CORRUPT_LOG, "cannot be");
    dv = spark_dv;
    dv.cardinality = 3;
    refuses(&p, &dv, STATUS_CORRUPT_DATA, "as many rows");
    dv.cardinality = -1;
    refuses(&p, &dv, STATUS_CORRUPT_LOG, "cannot be");
    dv = spark_dv;
    dv.storage = STR("x");
    refuses(&p, &dv, STATUS_CORRUPT_LOG, "storage type");
    dv = spark_dv;
    dv.path = STR("vBn[lx");
    refuses(&p, &dv, STATUS_CORRUPT_LOG, "UUID");
    dv.path = STR("vBn[lx{q8@P<9BNH/is~");
    refuses(&p, &dv, STATUS_CORRUPT_LOG, "UUID");
    place_close(&p);
}

/* Whatever byte is wrong or missing, the vector is refused and its file named. */
static void damaged_file(void **state)
{
    struct place p;
    uint8_t bytes[sizeof spark_file];
    place_open(&p);
    for (size_t i = 1; i < sizeof bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bytes, spark_file, sizeof bytes);
            bytes[i] ^= (uint8_t)(1 << bit);
            put(&p, STR(SPARK_NAME), bytes, sizeof bytes);
            refuses(&p, &spark_dv, STATUS_CORRUPT_DATA, SPARK_NAME);
        }
    for (size_t len = 0; len < sizeof bytes; len++) {
        put(&p, STR(SPARK_NAME), spark_file, len);
        refuses(&p, &spark_dv, STATUS_CORRUPT_DATA, SPARK_NAME);
    }
    place_close(&p);
}

static bool count_object(void *user, const struct store_entry *entry)
{
    ++*(int *)user;
    return true;
}

static int objects(struct place *p)
{
    int count = 0;
    store_list(p->memory, &p->ctx, STR(""), STR(""), count_object, &count, NULL);
    return count;
}

static void written_and_read(void **state)
{
    static uint64_t many[50000];
    static const uint64_t few[] = {9, 0, 9}, far[] = {UINT64_C(1) << 40, 5};
    struct place p;
    struct error err = ERROR_INIT;
    struct delta_rows *sets[4];
    struct delta_dv dvs[4];
    place_open(&p);
    for (size_t i = 0; i < VV_ARRAY_COUNT(many); i++)
        many[i] = i * 3;
    for (size_t i = 0; i < 4; i++)
        sets[i] = delta_rows_new();
    assert_true(delta_rows_add(sets[0], few, 3) && delta_rows_add(sets[1], many, VV_ARRAY_COUNT(many)) && delta_rows_add(sets[2], far, 2));
    expect_ok(delta_dv_write(&p.ctx, p.store, (const struct delta_rows *const *)sets, 4, &p.arena, dvs, &err), &err);
    assert_int_equal(objects(&p), 1);
    assert_int_equal(dvs[0].offset, 1);
    assert_int_equal(dvs[0].size_bytes, 36); /* just what Spark writes */
    holds(&p, &dvs[0], few, 2);
    holds(&p, &dvs[1], many, VV_ARRAY_COUNT(many));
    holds(&p, &dvs[2], far, 2);
    holds(&p, &dvs[3], NULL, 0);
    assert_false(delta_dv_equal(&dvs[0], &dvs[1]));
    for (size_t i = 0; i < 4; i++)
        delta_rows_free(sets[i]);
    expect_ok(delta_dv_write(&p.ctx, p.store, NULL, 0, &p.arena, dvs, &err), &err);
    assert_int_equal(objects(&p), 1);
    place_close(&p);
}

static void failed_write_leaves_nothing(void **state)
{
    static const uint64_t rows[] = {1, 2, 3};
    struct delta_rows *set = delta_rows_new();
    const struct delta_rows *sets[] = {set};
    assert_true(delta_rows_add(set, rows, 3));
    static const enum store_fault_kind kinds[] = {STORE_FAULT_FAIL, STORE_FAULT_FULL, STORE_FAULT_TRUNCATE, STORE_FAULT_LOST_REPLY};
    for (size_t k = 0; k < VV_ARRAY_COUNT(kinds); k++) {
        struct place p;
        struct delta_dv dv;
        struct error err = ERROR_INIT;
        place_open(&p);
        store_fault_set(p.store, (struct store_fault){.kind = kinds[k], .at_call = 1});
        assert_int_not_equal(delta_dv_write(&p.ctx, p.store, sets, 1, &p.arena, &dv, &err), STATUS_OK);
        assert_int_not_equal(err.code, STATUS_OK);
        assert_null(dv.path.ptr);
        assert_int_equal(objects(&p), 0);
        error_release(&err);
        place_close(&p);
    }
    delta_rows_free(set);
}

static void memory_is_out(void **state)
{
    static const uint64_t rows[] = {1, 2, 3};
    struct place p;
    struct delta_rows *set = delta_rows_new(), *back;
    const struct delta_rows *sets[] = {set};
    struct delta_dv dv;
    enum status status = STATUS_OUT_OF_MEMORY;
    assert_true(delta_rows_add(set, rows, 3));
    place_open(&p);
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        alloc_fail_after(n);
        status = delta_dv_write(&p.ctx, p.store, sets, 1, &p.arena, &dv, NULL);
        alloc_fail_after(0);
        assert_true(status == STATUS_OK || status == STATUS_OUT_OF_MEMORY || status == STATUS_STORE_IO);
        assert_int_equal(objects(&p), status == STATUS_OK);
    }
    status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status != STATUS_OK; n++) {
        alloc_fail_after(n);
        status = delta_dv_read(&p.ctx, p.store, &dv, &back, NULL);
        alloc_fail_after(0);
        assert_true(status == STATUS_OK ? delta_rows_count(back) == 3 : back == NULL);
    }
    delta_rows_free(back);
    delta_rows_free(set);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spark_wrote_it),
        cmocka_unit_test(absolute_path),
        cmocka_unit_test(inline_vector),
        cmocka_unit_test(bad_descriptors),
        cmocka_unit_test(damaged_file),
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(failed_write_leaves_nothing),
        cmocka_unit_test(memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
