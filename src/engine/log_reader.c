/* engine/log_reader.c: checkpoints of the Delta log, as the delta room asks for them (struct delta_handler).
 *
 * Adds are read by column (add_scan.c), everything else as JSON, one action at a time. */
#include "engine/engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct engine *engine_of(struct delta_handler *h) { return ((struct log_reader *)h)->engine; }

/* ---- statements ------------------------------------------------------------------------- */

static void put_files(struct buf *sql, const struct str *paths, size_t count)
{
    buf_z(sql, " FROM read_parquet([");
    for (size_t i = 0; i < count; i++) {
        buf_z(sql, i ? "," : "");
        engine_quote_literal(paths[i], sql);
    }
    buf_z(sql, "], hive_partitioning=false)");
}

/* The columns of one part. */
static enum status checkpoint_columns(struct engine_run *run, const struct str *paths, struct arena *arena, struct delta_type **out,
                                      struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_prepared_statement statement = NULL;
    *out = NULL;
    buf_z(&sql, "SELECT *");
    put_files(&sql, paths, 1);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_prepare(run, buf_view(&sql), &statement, err);
    if (st == STATUS_OK)
        st = schema_from_prepared(arena, statement, out, err);
    duckdb_destroy_prepare(&statement);
    buf_release(&sql);
    return st;
}

static const struct delta_type *struct_column(const struct delta_type *columns, const char *name)
{
    const struct delta_field *field = delta_field_find(columns, str_of(name));
    return field && field->type->id == DELTA_STRUCT ? field->type : NULL;
}

static bool has_field(const struct delta_type *type, const char *name) { return type && delta_field_find(type, str_of(name)); }

static enum status unreadable(enum status st, const struct str *paths, struct error *err)
{
    if (st == STATUS_CORRUPT_DATA || st == STATUS_INVALID_ARGUMENT || st == STATUS_BINDER || st == STATUS_COLUMN_NOT_FOUND || st == STATUS_INTERNAL) {
        struct error why = ERROR_INIT;
        if (err)
            error_move(&why, err);
        st = error_set(err, STATUS_CORRUPT_LOG, "checkpoint \"%.*s\" cannot be read", STR_ARG(paths[0]));
        error_detail(err, "%s", why.message ? why.message : "");
        error_release(&why);
    }
    return st;
}

/* ---- adds by column ------------------------------------------------------------------------- */

/* The parts of a checkpoint that have adds.  A writer may leave out columns that a part has no rows for, so each part is asked. */
struct add_parts {
    struct arena arena;
    const struct delta_type **types; /* of the column add, beside paths */
    struct str *paths;
    size_t *parts;
    size_t count;
};

static enum status find_add_parts(struct engine_run *run, const struct str *paths, size_t path_count, struct add_parts *p, struct error *err)
{
    p->types = ARENA_ARRAY(&p->arena, const struct delta_type *, path_count);
    p->paths = ARENA_ARRAY(&p->arena, struct str, path_count);
    p->parts = ARENA_ARRAY(&p->arena, size_t, path_count);
    if (!p->types || !p->paths || !p->parts)
        return error_oom(err);
    for (size_t i = 0; i < path_count; i++) {
        struct delta_type *columns = NULL;
        enum status st = checkpoint_columns(run, &paths[i], &p->arena, &columns, err);
        if (st != STATUS_OK)
            return unreadable(st, &paths[i], err);
        const struct delta_type *add = struct_column(columns, "add");
        if (!has_field(add, "path"))
            continue;
        p->types[p->count] = add;
        p->paths[p->count] = paths[i];
        p->parts[p->count++] = i;
    }
    return STATUS_OK;
}

/* Parts [from, to), whose add columns are alike, in one scan. */
static enum status scan_parts(struct ctx *ctx, struct engine *e, struct engine_run *run, const struct add_parts *p, size_t from, size_t to,
                              struct add_scan *scan, struct error *err)
{
    struct buf files = BUF_INIT;
    put_files(&files, p->paths + from, to - from);
    scan->parts = p->parts + from;
    enum status st = buf_check(&files, err);
    if (st == STATUS_OK)
        st = add_scan_run(ctx, run, &e->log_reader.scans, scan, p->types[from], buf_view(&files), err);
    buf_release(&files);
    return unreadable(st, p->paths + from, err);
}

static enum status scan_all(struct delta_handler *h, struct ctx *ctx, const struct str *paths, size_t path_count, struct add_scan *scan,
                            struct error *err)
{
    struct engine_run run = {0};
    struct add_parts p = {0};
    if (path_count == 0)
        return STATUS_OK;
    enum status st = run_begin(ctx, engine_of(h), STR_NULL, &run, err);
    if (st == STATUS_OK)
        st = find_add_parts(&run, paths, path_count, &p, err);
    for (size_t from = 0, to; from < p.count && st == STATUS_OK; from = to) {
        for (to = from + 1; to < p.count && delta_type_equal(p.types[to], p.types[from]);)
            to++;
        st = scan_parts(ctx, engine_of(h), &run, &p, from, to, scan, err);
    }
    run_end(&run);
    arena_release(&p.arena);
    return st;
}

static enum status read_adds(struct delta_handler *h, struct ctx *ctx, const struct str *paths, size_t path_count,
                             const struct str *partition_columns, size_t partition_column_count, unsigned wanted,
                             bool (*batch)(void *user, size_t part_index, const struct delta_checkpoint_batch *batch, struct error *err), void *user,
                             struct error *err)
{
    struct add_scan scan = {
        .partition_columns = partition_columns, .partition_count = partition_column_count, .wanted = wanted, .batch = batch, .user = user};
    return scan_all(h, ctx, paths, path_count, &scan, err);
}

static enum status read_stats(struct delta_handler *h, struct ctx *ctx, const struct str *paths, size_t path_count,
                              bool (*batch)(void *user, const struct delta_stats_batch *batch), void *user, struct error *err)
{
    struct add_scan scan = {.wanted = DELTA_READ_STATS, .stats = batch, .user = user};
    return scan_all(h, ctx, paths, path_count, &scan, err);
}

/* ---- chunks ------------------------------------------------------------------------------------ */

/* Runs sql and gives each chunk to take. */
static enum status each_chunk(struct ctx *ctx, struct engine_run *run, struct str sql,
                              bool (*take)(void *user, duckdb_data_chunk chunk, struct error *err), void *user, struct error *err)
{
    struct run_stream stream;
    enum status st = run_stream_open(run, sql, &stream, err);
    while (st == STATUS_OK) {
        duckdb_data_chunk chunk;
        st = run_stream_next(&stream, &chunk, err);
        if (st != STATUS_OK || !chunk)
            break;
        st = ctx_check(ctx, err);
        if (st == STATUS_OK && !take(user, chunk, err))
            st = err && err->code != STATUS_OK ? err->code : STATUS_CANCELLED;
        duckdb_destroy_data_chunk(&chunk);
    }
    run_stream_close(&stream);
    return st;
}

/* ---- actions as JSON ------------------------------------------------------------------------------ */

/* Objects that are maps: there a null is a value. */
static bool is_map_key(struct str key)
{
    return str_eq(key, STR("partitionValues")) || str_eq(key, STR("configuration")) || str_eq(key, STR("options")) || str_eq(key, STR("tags"));
}

/* The node's text without null members, which to_json writes for every absent field. */
static void put_without_nulls(const struct json *j, uint32_t node, struct buf *out)
{
    bool first = true;
    if (j->nodes[node].type == JSON_STRING) {
        buf_char(out, '"');
        buf_str(out, j->nodes[node].text);
        buf_char(out, '"');
        return;
    }
    if (j->nodes[node].type != JSON_OBJECT) {
        buf_str(out, j->nodes[node].text);
        return;
    }
    buf_char(out, '{');
    for (uint32_t key = json_first(j, node); key < j->nodes[node].next; key = json_next(j, key + 1)) {
        if (j->nodes[key + 1].type == JSON_NULL)
            continue;
        buf_z(out, first ? "\"" : ",\"");
        first = false;
        buf_str(out, j->nodes[key].text);
        buf_z(out, "\":");
        if (is_map_key(j->nodes[key].text) && j->nodes[key + 1].type == JSON_OBJECT)
            buf_str(out, j->nodes[key + 1].text);
        else
            put_without_nulls(j, key + 1, out);
    }
    buf_char(out, '}');
}

struct action_reading {
    struct arena arena; /* per row */
    struct buf json;
    bool by_part; /* second column is file_index */
    bool (*action)(void *user, struct str json, struct error *err);
    bool (*add)(void *user, size_t part_index, struct str json, struct error *err);
    void *user;
};

/* Columns: name of the action, its JSON[, file_index]. */
static bool take_action(struct action_reading *r, struct str name, struct str text, size_t part, struct error *err)
{
    struct json tree;
    arena_clear(&r->arena);
    buf_clear(&r->json);
    if (tree_parse(&r->arena, text, &tree, err) != STATUS_OK)
        return false;
    buf_z(&r->json, "{\"");
    buf_str(&r->json, name);
    buf_z(&r->json, "\":");
    put_without_nulls(&tree, 0, &r->json);
    buf_char(&r->json, '}');
    if (buf_check(&r->json, err) != STATUS_OK)
        return false;
    return r->add ? r->add(r->user, part, buf_view(&r->json), err) : r->action(r->user, buf_view(&r->json), err);
}

static bool take_action_chunk(void *user, duckdb_data_chunk chunk, struct error *err)
{
    struct action_reading *r = user;
    const duckdb_string_t *names = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    const duckdb_string_t *texts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    const uint64_t *parts = r->by_part ? duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2)) : NULL;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
        if (!take_action(r, vector_str(&names[i]), vector_str(&texts[i]), parts ? (size_t)parts[i] : 0, err))
            return false;
    return true;
}

static enum status read_actions(struct ctx *ctx, struct engine_run *run, struct buf *sql, struct action_reading *r, struct error *err)
{
    enum status st = buf_check(sql, err);
    if (st == STATUS_OK)
        st = each_chunk(ctx, run, buf_view(sql), take_action_chunk, r, err);
    buf_release(&r->json);
    arena_release(&r->arena);
    return st;
}

/* The actions other than add, and the leaf that is never null in each. */
static const struct {
    const char *name, *leaf;
} other_actions[] = {{"metaData", "id"},
                     {"protocol", "minReaderVersion"},
                     {"txn", "appId"},
                     {"domainMetadata", "domain"},
                     {"checkpointMetadata", "version"},
                     {"sidecar", "path"},
                     {"remove", "path"}};

static bool wanted_action(const struct delta_type *columns, size_t i, bool want_removes)
{
    return has_field(struct_column(columns, other_actions[i].name), other_actions[i].leaf) &&
           (want_removes || strcmp(other_actions[i].name, "remove") != 0);
}

/* Among many files' rows these rows are few.  Reading whole columns to find them would cost more than reading the files' rows, so they are found by
 * one leaf each and then read by their place, which lets the reader skip everything else. */
#define PLACES_MAX 256
struct places {
    int64_t row[PLACES_MAX];
    size_t count; /* beyond PLACES_MAX they are not noted one by one */
};

static bool take_places(void *user, duckdb_data_chunk chunk, struct error *err)
{
    struct places *p = user;
    const int64_t *rows = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    (void)err;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, p->count++)
        if (p->count < PLACES_MAX)
            p->row[p->count] = rows[i];
    return true;
}

static enum status find_places(struct ctx *ctx, struct engine_run *run, const struct delta_type *columns, bool want_removes, const struct str *path,
                               struct places *p, struct error *err)
{
    struct buf sql = BUF_INIT;
    bool any = false;
    p->count = 0;
    buf_z(&sql, "SELECT file_row_number");
    put_files(&sql, path, 1);
    for (size_t i = 0; i < VV_ARRAY_COUNT(other_actions); i++) {
        if (!wanted_action(columns, i, want_removes))
            continue;
        buf_printf(&sql, "%s\"%s\".%s IS NOT NULL", any ? " OR " : " WHERE ", other_actions[i].name, other_actions[i].leaf);
        any = true;
    }
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK && any)
        st = each_chunk(ctx, run, buf_view(&sql), take_places, p, err);
    buf_release(&sql);
    return st;
}

static void put_places(const struct places *p, struct buf *sql)
{
    if (p->count > PLACES_MAX)
        return;
    for (size_t i = 0; i < p->count; i++)
        buf_printf(sql, "%s%lld", i ? ", " : " AND file_row_number IN (", (long long)p->row[i]);
    buf_char(sql, ')');
}

/* One branch per action column; at least one place. */
static void put_others_query(const struct delta_type *columns, bool want_removes, const struct str *path, const struct places *p, struct buf *sql)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(other_actions); i++) {
        const char *name = other_actions[i].name;
        if (!wanted_action(columns, i, want_removes))
            continue;
        buf_printf(sql, "%sSELECT '%s', CAST(to_json(\"%s\") AS VARCHAR)", sql->len ? " UNION ALL " : "", name, name);
        put_files(sql, path, 1);
        buf_printf(sql, " WHERE \"%s\".%s IS NOT NULL", name, other_actions[i].leaf);
        put_places(p, sql);
    }
}

static enum status read_part_others(struct ctx *ctx, struct engine_run *run, const struct str *path, bool want_removes, struct action_reading *r,
                                    struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf sql = BUF_INIT;
    struct delta_type *columns = NULL;
    struct places places;
    enum status st = checkpoint_columns(run, path, &arena, &columns, err);
    if (st == STATUS_OK)
        st = find_places(ctx, run, columns, want_removes, path, &places, err);
    if (st == STATUS_OK && places.count) {
        put_others_query(columns, want_removes, path, &places, &sql);
        st = read_actions(ctx, run, &sql, r, err);
    }
    buf_release(&sql);
    arena_release(&arena);
    return unreadable(st, path, err);
}

static enum status read_others(struct delta_handler *h, struct ctx *ctx, const struct str *paths, size_t path_count, bool want_removes,
                               bool (*action)(void *user, struct str json, struct error *err), void *user, struct error *err)
{
    struct engine_run run = {0};
    enum status st = path_count ? run_begin(ctx, engine_of(h), STR_NULL, &run, err) : STATUS_OK;
    for (size_t i = 0; i < path_count && st == STATUS_OK; i++) {
        struct action_reading r = {.action = action, .user = user};
        st = read_part_others(ctx, &run, &paths[i], want_removes, &r, err);
    }
    run_end(&run);
    return st;
}

/* ---- adds as JSON ------------------------------------------------------------------------------------ */

/* Statistics as a struct -> the JSON of add.stats: dates and numbers as they are, timestamps in ISO form. */
static void put_stats_value(const struct delta_type *type, struct str value, struct buf *sql)
{
    struct buf child = BUF_INIT;
    if (type->id == DELTA_TIMESTAMP || type->id == DELTA_TIMESTAMP_NTZ) {
        const char *utc = type->id == DELTA_TIMESTAMP ? "timezone('UTC', " : "(";
        buf_printf(sql, "strftime(%s%.*s), '%s')", utc, STR_ARG(value),
                   type->id == DELTA_TIMESTAMP ? "%Y-%m-%dT%H:%M:%S.%gZ" : "%Y-%m-%dT%H:%M:%S.%g");
        return;
    }
    if (type->id == DELTA_FLOAT || type->id == DELTA_DOUBLE) { /* JSON has no NaN: then nothing is known */
        buf_printf(sql, "CASE WHEN isfinite(%.*s) THEN %.*s END", STR_ARG(value), STR_ARG(value));
        return;
    }
    if (type->id != DELTA_STRUCT) {
        buf_str(sql, value);
        return;
    }
    buf_printf(sql, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(value));
    for (uint32_t i = 0; i < type->field_count; i++) {
        buf_clear(&child);
        buf_str(&child, value);
        buf_char(&child, '.');
        engine_quote_identifier(type->fields[i].name, &child);
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(type->fields[i].name, sql);
        buf_z(sql, " := ");
        put_stats_value(type->fields[i].type, buf_view(&child), sql);
    }
    buf_z(sql, ") END");
    sql->failed |= child.failed;
    buf_release(&child);
}

bool checkpoint_stats_sql(const struct delta_type *add, struct buf *sql)
{
    const struct delta_type *parsed = struct_column(add, "stats_parsed");
    bool text = has_field(add, "stats");
    if (text && parsed)
        buf_z(sql, "coalesce(add.stats, ");
    if (parsed) {
        buf_z(sql, "CAST(to_json(");
        put_stats_value(parsed, STR("add.stats_parsed"), sql);
        buf_z(sql, ") AS VARCHAR)");
    } else if (text) {
        buf_z(sql, "add.stats");
    }
    if (text && parsed)
        buf_char(sql, ')');
    return text || parsed;
}

static void put_raw_stats(const struct delta_type *add, bool *first, struct buf *sql)
{
    if (!has_field(add, "stats") && !struct_column(add, "stats_parsed"))
        return;
    buf_z(sql, *first ? "stats := " : ", stats := ");
    *first = false;
    checkpoint_stats_sql(add, sql);
}

static void put_raw_query(const struct delta_type *add, const struct str *paths, size_t path_count, struct buf *sql)
{
    static const char *const fields[] = {"path", "partitionValues", "size",      "modificationTime",        "dataChange",
                                         "tags", "deletionVector",  "baseRowId", "defaultRowCommitVersion", "clusteringProvider"};
    bool first = true;
    buf_z(sql, "SELECT 'add', CAST(to_json(struct_pack(");
    for (size_t i = 0; i < VV_ARRAY_COUNT(fields); i++) {
        if (!has_field(add, fields[i]))
            continue;
        buf_printf(sql, "%s%s := add.%s", first ? "" : ", ", fields[i], fields[i]);
        first = false;
    }
    put_raw_stats(add, &first, sql);
    buf_z(sql, ")) AS VARCHAR), file_index");
    put_files(sql, paths, path_count);
    buf_z(sql, " WHERE add.path IS NOT NULL");
}

/* file_index counts within one scan; parts are counted over the whole checkpoint. */
struct raw_adds {
    const size_t *parts;
    bool (*add)(void *user, size_t part_index, struct str json, struct error *err);
    void *user;
};

static bool take_raw_add(void *user, size_t file, struct str json, struct error *err)
{
    struct raw_adds *r = user;
    return r->add(r->user, r->parts[file], json, err);
}

/* Parts [from, to), whose add columns are alike. */
static enum status read_raw_parts(struct ctx *ctx, struct engine_run *run, const struct add_parts *p, size_t from, size_t to, struct raw_adds *raw,
                                  struct error *err)
{
    struct action_reading r = {.add = take_raw_add, .user = raw, .by_part = true};
    struct buf sql = BUF_INIT;
    raw->parts = p->parts + from;
    put_raw_query(p->types[from], p->paths + from, to - from, &sql);
    enum status st = read_actions(ctx, run, &sql, &r, err);
    buf_release(&sql);
    return unreadable(st, p->paths + from, err);
}

static enum status read_adds_raw(struct delta_handler *h, struct ctx *ctx, const struct str *paths, size_t path_count,
                                 bool (*add)(void *user, size_t part_index, struct str json, struct error *err), void *user, struct error *err)
{
    struct raw_adds raw = {.add = add, .user = user};
    struct engine_run run = {0};
    struct add_parts p = {0};
    if (path_count == 0)
        return STATUS_OK;
    enum status st = run_begin(ctx, engine_of(h), STR_NULL, &run, err);
    if (st == STATUS_OK)
        st = find_add_parts(&run, paths, path_count, &p, err);
    for (size_t from = 0, to; from < p.count && st == STATUS_OK; from = to) {
        for (to = from + 1; to < p.count && delta_type_equal(p.types[to], p.types[from]);)
            to++;
        st = read_raw_parts(ctx, &run, &p, from, to, &raw, err);
    }
    run_end(&run);
    arena_release(&p.arena);
    return st;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

#define DELETION_VECTOR "STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, \"offset\" INTEGER, sizeInBytes INTEGER, cardinality BIGINT)"
#define TEXT_MAP "MAP(VARCHAR, VARCHAR)"

/* Protocol, "Checkpoint Schema"; which part of a checkpoint has the column.  Spark looks for add and remove in a V2 top level too. */
enum { IN_WHOLE = 1 << DELTA_CHECKPOINT_WHOLE, IN_TOP = 1 << DELTA_CHECKPOINT_TOP, IN_SIDECAR = 1 << DELTA_CHECKPOINT_SIDECAR };
#define ADD_FIELDS "STRUCT(path VARCHAR, partitionValues " TEXT_MAP ", size BIGINT, modificationTime BIGINT, dataChange BOOLEAN"
#define ADD_REST                                                                                                                                     \
    ", tags " TEXT_MAP ", deletionVector " DELETION_VECTOR ", baseRowId BIGINT, defaultRowCommitVersion BIGINT, clusteringProvider VARCHAR"
static const struct {
    const char *name, *type;
    unsigned parts;
} checkpoint_schema[] = {
    {"txn", "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)", IN_WHOLE | IN_TOP},
    {"remove",
     "STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues " TEXT_MAP
     ", size BIGINT, stats VARCHAR, tags " TEXT_MAP ", deletionVector " DELETION_VECTOR ",  baseRowId BIGINT, defaultRowCommitVersion BIGINT)",
     IN_WHOLE | IN_TOP | IN_SIDECAR},
    {"metaData",
     "STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options " TEXT_MAP "), schemaString VARCHAR, "
     "partitionColumns VARCHAR[], createdTime BIGINT, configuration " TEXT_MAP ")",
     IN_WHOLE | IN_TOP},
    {"protocol", "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])", IN_WHOLE | IN_TOP},
    {"domainMetadata", "STRUCT(domain VARCHAR, configuration VARCHAR, removed BOOLEAN)", IN_WHOLE | IN_TOP},
    {"checkpointMetadata", "STRUCT(version BIGINT, tags " TEXT_MAP ")", IN_TOP},
    {"sidecar", "STRUCT(path VARCHAR, sizeInBytes BIGINT, modificationTime BIGINT, tags " TEXT_MAP ")", IN_TOP},
};

static void put_typed_member(const char *name, const struct delta_type *type, struct buf *out)
{
    if (!type)
        return;
    buf_printf(out, ", %s ", name);
    engine_type_sql(type, out);
}

static void put_column(const char *name, struct str type, bool *first, struct buf *sql)
{
    buf_printf(sql, "%s\"%s\": ", *first ? "" : ", ", name);
    *first = false;
    engine_quote_literal(type, sql);
}

static void put_add_column(const struct delta_checkpoint_shape *shape, bool *first, struct buf *sql)
{
    struct buf type = BUF_INIT;
    buf_z(&type, ADD_FIELDS);
    buf_z(&type, shape->stats_json ? ", stats VARCHAR" ADD_REST : ADD_REST);
    put_typed_member("stats_parsed", shape->stats_parsed, &type);
    put_typed_member("partitionValues_parsed", shape->partition_values_parsed, &type);
    buf_char(&type, ')');
    sql->failed |= type.failed;
    put_column("add", buf_view(&type), first, sql);
    buf_release(&type);
}

static void put_checkpoint_copy(struct str from, struct str to, const struct delta_checkpoint_shape *shape, struct buf *sql)
{
    bool first = true;
    buf_z(sql, "COPY (SELECT * FROM read_json(");
    engine_quote_literal(from, sql);
    buf_z(sql, ", format='newline_delimited', columns={");
    for (size_t i = 0; i < VV_ARRAY_COUNT(checkpoint_schema); i++)
        if (checkpoint_schema[i].parts >> shape->part & 1)
            put_column(checkpoint_schema[i].name, str_of(checkpoint_schema[i].type), &first, sql);
    put_add_column(shape, &first, sql);
    buf_z(sql, "})) TO ");
    engine_quote_literal(to, sql);
    buf_z(sql, " (FORMAT parquet, USE_TMP_FILE false)");
}

static void remove_file(struct str path)
{
    char *name = mem_strndup(path.ptr, path.len);
    if (name)
        unlink(name);
    mem_free(name);
}

static enum status write_checkpoint(struct delta_handler *h, struct ctx *ctx, struct str actions_ndjson_path, struct str path,
                                    const struct delta_checkpoint_shape *shape, struct error *err)
{
    struct engine_run run;
    struct buf sql = BUF_INIT;
    enum status st = run_begin(ctx, engine_of(h), STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    put_checkpoint_copy(actions_ndjson_path, path, shape, &sql);
    st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_execute(&run, buf_view(&sql), err);
    if (st != STATUS_OK)
        remove_file(path);
    buf_release(&sql);
    run_end(&run);
    return st;
}

void log_reader_init(struct log_reader *r, struct engine *e)
{
    *r = (struct log_reader){.handler = {.read_adds = read_adds,
                                         .read_others = read_others,
                                         .write_checkpoint = write_checkpoint,
                                         .read_adds_raw = read_adds_raw,
                                         .read_stats = read_stats},
                             .engine = e,
                             .scans = {.lock = PTHREAD_MUTEX_INITIALIZER}};
}
