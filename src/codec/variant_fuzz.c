/* codec/variant_fuzz.c: any bytes as a variant, and any text as JSON: what is written from a text reads back as the same text. */
#include "codec/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const struct variant *v, int depth, int *budget)
{
    struct variant_item item;
    struct variant child;
    struct str key;
    if (depth > 20 || --*budget < 0 || !variant_read(v, &item))
        return;
    if (variant_extent(v) > v->value.len)
        abort();
    for (uint32_t i = 0; (item.kind == VARIANT_OBJECT || item.kind == VARIANT_ARRAY) && i<item.count && * budget> 0; i++)
        if (variant_child(v, &item, i, &key, &child))
            visit(&child, depth + 1, budget);
}

static void shred(const struct variant *v)
{
    struct arena arena = ARENA_INIT;
    struct shred_node root = {0};
    struct variant_item item;
    struct buf rest = BUF_INIT;
    uint32_t left;
    if (shred_look(&arena, &root, v) && shred_decide(&root, 1) && root.typed == VARIANT_OBJECT && variant_read(v, &item)) {
        struct variant smaller = {v->metadata, STR("")};
        if (variant_put_without(v, &item, &root.children->key, 1, &rest, &left)) {
            smaller.value = buf_view(&rest);
            if (variant_extent(&smaller) != rest.len || left > item.count)
                abort();
        }
    }
    buf_release(&rest);
    arena_release(&arena);
}

static void rewrite(struct str text, struct buf *out)
{
    struct buf joined = BUF_INIT;
    struct variant v;
    if (variant_from_json(text, &joined, NULL) != STATUS_OK || !variant_split(buf_view(&joined), &v) || variant_extent(&v) != v.value.len ||
        !variant_put_json(&v, out))
        abort();
    buf_release(&joined);
}

/* A double may come back as a decimal once ("1e5" is written 100000.0): from then on nothing changes. */
static void round_trip(struct str text)
{
    struct buf joined = BUF_INIT, once = BUF_INIT, twice = BUF_INIT, thrice = BUF_INIT;
    if (variant_from_json(text, &joined, NULL) == STATUS_OK) {
        rewrite(text, &once);
        rewrite(buf_view(&once), &twice);
        rewrite(buf_view(&twice), &thrice);
        if (!str_eq(buf_view(&twice), buf_view(&thrice)))
            abort();
    }
    buf_release(&joined);
    buf_release(&once);
    buf_release(&twice);
    buf_release(&thrice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str given = {(const char *)data, size};
    struct buf text = BUF_INIT, footer = BUF_INIT;
    struct variant v;
    int budget = 10000;
    round_trip(given);
    if (variant_split(given, &v)) {
        visit(&v, 0, &budget);
        shred(&v);
        if (size < 200)
            variant_put_json(&v, &text);
    }
    const struct str name = STR("v");
    parquet_annotate_variants(given, &name, 1, &footer, NULL);
    buf_release(&text);
    buf_release(&footer);
    return 0;
}
