/* Any bytes as the JSON top level of a V2 checkpoint and as _last_checkpoint: an answer or an error, and no sidecar outside its folder. */
#include "delta/delta_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_checkpoint(struct ctx *ctx, struct delta_table *t)
{
    struct delta_checkpoint_files f;
    struct error err = ERROR_INIT;
    struct delta_log_checkpoint c = {.version = 3, .suffix = STR(".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json")};
    if (delta_checkpoint_open(ctx, t, &c, &f, &err) == STATUS_OK)
        for (size_t i = 0; i < f.key_count; i++)
            if (!str_starts(f.keys[i], STR("_delta_log/_sidecars/")) || memchr(f.keys[i].ptr + 21, '/', f.keys[i].len - 21))
                abort();
    delta_checkpoint_close(&f);
    error_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctx ctx;
    struct store *store = NULL;
    struct delta_table *t = NULL;
    ctx_init(&ctx);
    if (store_open_memory(&store, NULL) == STATUS_OK && delta_table_open(&ctx, store, NULL, STR("fuzz"), &t, NULL) == STATUS_OK) {
        store_put(store, &ctx, STR("_delta_log/00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"), data, size, NULL);
        store_put(store, &ctx, STR("_delta_log/_last_checkpoint"), data, size, NULL);
        if (delta_log_hint(&ctx, t) < -1)
            abort();
        open_checkpoint(&ctx, t);
    }
    delta_table_unref(t);
    store_unref(store);
    return 0;
}
