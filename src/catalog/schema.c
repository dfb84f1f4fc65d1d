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

static enum status schema_json(struct str created, struct str comment, struct buf *out, struct error *err)
{
    buf_z(out, "{");
    if (comment.ptr) {
        buf_z(out, "\"comment\":");
        json_put_string(out, comment);
        buf_char(out, ',');
    }
    buf_z(out, "\"created\":");
    json_put_string(out, created);
    buf_z(out, "}\n");
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
        char created[40];
        timestamp_to_iso(ctx_now_us(ctx), true, created);
        status = schema_json(str_of(created), comment, &body, err);
        if (!status)
            status = put_schema(ctx, c, key, buf_view(&body), existed, err);
    }
    buf_release(&body);
    arena_release(&arena);
    return status;
}

/* ---- what is said of them ------------------------------------------------------------------ */

static struct str member(const struct json *j, const char *key, struct arena *arena)
{
    uint32_t node = json_member(j, 0, key);
    return node && j->nodes[node].type == JSON_STRING ? json_text(j, node, arena) : STR_NULL;
}

static enum status schema_parse(struct arena *arena, struct str key, struct str text, struct catalog_schema *out, struct error *err)
{
    struct json j;
    enum status status = json_parse(arena, text, &j, err);
    if (status || j.nodes[0].type != JSON_OBJECT) {
        if (status == STATUS_OUT_OF_MEMORY)
            return status;
        error_release(err);
        return error_set(err, STATUS_CORRUPT_LOG, "the catalog's entry \"%.*s\" is damaged", STR_ARG(key));
    }
    out->comment = member(&j, "comment", arena);
    out->created = member(&j, "created", arena);
    return STATUS_OK;
}

enum status catalog_describe_schema(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct catalog_schema *out,
                                    struct error *err)
{
    struct buf bytes = {.max_bytes = CATALOG_ENTRY_MAX_BYTES};
    struct str key;
    *out = (struct catalog_schema){0};
    enum status status = catalog_schema_key(arena, schema, &out->name, &key, err);
    if (status || str_eq(out->name, STR(CATALOG_DEFAULT_SCHEMA)))
        return status;
    enum store_result result = store_read(c->lake, ctx, key, &bytes, err);
    if (result == STORE_NOT_FOUND)
        status = schema_not_found(ctx, c, arena, out->name, err);
    else if (!(status = catalog_store_status(result, key, err))) {
        struct str text = arena_str(arena, buf_view(&bytes));
        status = text.ptr ? schema_parse(arena, key, text, out, err) : error_oom(err);
    }
    buf_release(&bytes);
    return status;
}

enum status catalog_comment_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct str comment, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf body = BUF_INIT;
    struct catalog_schema now;
    struct str lowered, key;
    enum status status = catalog_describe_schema(ctx, c, &arena, schema, &now, err);
    if (!status)
        status = catalog_schema_key(&arena, schema, &lowered, &key, err);
    if (!status && str_eq(lowered, STR(CATALOG_DEFAULT_SCHEMA)))
        status = error_set(err, STATUS_NOT_SUPPORTED, "the schema \"" CATALOG_DEFAULT_SCHEMA "\" is always there and has no comment");
    if (!status)
        status = schema_json(now.created.ptr ? now.created : STR(""), comment, &body, err);
    if (!status)
        status = catalog_store_status(store_put(c->lake, ctx, key, body.ptr, body.len, err), key, err);
    buf_release(&body);
    arena_release(&arena);
    return status;
}
