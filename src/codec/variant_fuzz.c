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

static void round_trip(struct str text)
{
    struct buf first = BUF_INIT, second = BUF_INIT, once = BUF_INIT, twice = BUF_INIT;
    struct variant v;
    if (variant_from_json(text, &first, NULL) == STATUS_OK) {
        if (!variant_split(buf_view(&first), &v) || variant_extent(&v) != v.value.len || !variant_put_json(&v, &once))
            abort();
        if (variant_from_json(buf_view(&once), &second, NULL) != STATUS_OK || !variant_split(buf_view(&second), &v) || !variant_put_json(&v, &twice))
            abort();
        if (!str_eq(buf_view(&once), buf_view(&twice)))
            abort();
    }
    buf_release(&first);
    buf_release(&second);
    buf_release(&once);
    buf_release(&twice);
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
