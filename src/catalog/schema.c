/* catalog/schema.c: schemas exist or not. */
#include "catalog/catalog_int.h"

static enum status schema_not_found(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct error *err)
{
    struct str *schemas = NULL;
    size_t count = 0;
    enum status status = catalog_list_schemas(ctx, c, arena, &schemas, &count, err);
    if (status)
        return status;
    struct str near = str_nearest(schema, schemas, count);
    error_set(err, STATUS_SCHEMA_NOT_FOUND, "schema \"%.*s\" does not exist", STR_ARG(schema));
    if (!catalog_hint_lake(c, err) && near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return STATUS_SCHEMA_NOT_FOUND;
}

enum status catalog_check_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct str lowered, key;
    struct store_entry entry;
    enum status status = catalog_schema_key(&arena, schema, &lowered, &key, err);
    if (!status && !str_eq(lowered, STR(CATALOG_DEFAULT_SCHEMA))) {
        enum store_result result = store_stat(c->lake, ctx, key, &entry, err);
        status = result == STORE_NOT_FOUND ? schema_not_found(ctx, c, &arena, lowered, err) : catalog_store_status(result, key, err);
    }
    arena_release(&arena);
    return status;
}

static enum status schema_json(struct ctx *ctx, struct str comment, struct buf *out, struct error *err)
{
    char created[40];
    timestamp_to_iso(ctx_now_us(ctx), true, created);
    buf_z(out, "{");
    if (comment.ptr) {
        buf_z(out, "\"comment\":");
        json_put_string(out, comment);
        buf_char(out, ',');
    }
    buf_printf(out, "\"created\":\"%s\"}\n", created);
    return buf_check(out, err);
}

/* An unknown put is asked about: the schema is there, whoever made it. */
static enum status put_schema(struct ctx *ctx, struct catalog *c, struct str key, struct str body, bool *existed, struct error *err)
{
    struct store_entry entry;
    enum store_result result = store_put_if_absent(c->lake, ctx, key, body.ptr, body.len, err);
    *existed = result == STORE_EXISTS;
    if (result == STORE_EXISTS)
        return STATUS_OK;
    if (result == STORE_UNKNOWN)
        result = store_stat(c->lake, ctx, key, &entry, err);
    return catalog_store_status(result == STORE_NOT_FOUND ? STORE_UNKNOWN : result, key, err);
}

enum status catalog_create_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct str comment, bool *existed, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf body = BUF_INIT;
    struct str lowered, key;
    *existed = false;
    enum status status = catalog_schema_key(&arena, schema, &lowered, &key, err);
    if (!status && str_eq(lowered, STR(CATALOG_DEFAULT_SCHEMA))) {
        *existed = true;
    } else if (!status) {
        status = schema_json(ctx, comment, &body, err);
        if (!status)
            status = put_schema(ctx, c, key, buf_view(&body), existed, err);
    }
    buf_release(&body);
    arena_release(&arena);
    return status;
}
