/* delta/changes.c: what a range of commits changed (protocol: "Reading Change Data Files").
 *
 * A commit with change data files says all of it there.  Any other commit that changes data is read from its actions: a
 * file that was added is inserted rows, one that was removed deleted rows, and of a file that was given another deletion
 * vector the rows that are in one vector and not in the other. */
#include "delta/delta_int.h"

#include <stdio.h>

enum { ADDED_VALUES = 3 }; /* after the table's partition values: version, timestamp, change type */

/* Paths that a commit removed -> index + 1 in its removes. */
struct removed_paths {
    struct {
        uint64_t hash;
        struct str path;
        size_t remove;
    } * slots;
    size_t mask;
    bool *paired;
    struct delta_path_key key;
    struct arena arena;
};
struct reader {
    struct ctx *ctx;
    struct delta_snapshot *end;
    struct delta_type *end_schema; /* by physical names */
    struct delta_changes *out;
    int64_t version, timestamp_us;
    const struct delta_commit *commit;
    struct arena arena;
    struct delta_snapshot *before; /* version - 1, when it was needed */
    struct delta_file_list files;  /* of before */
};

void delta_changes_release(struct delta_changes *c)
{
    for (size_t i = 0; i < c->derived_count; i++)
        delta_rows_free(c->only[i]);
    mem_free(c->stored);
    mem_free(c->derived);
    mem_free(c->only);
    arena_release(&c->arena);
    *c = (struct delta_changes){0};
}

/* ---- the columns ----------------------------------------------------------------------------------- */

enum status delta_changes_schema(struct arena *arena, const struct delta_snapshot *end, struct delta_type **out, struct error *err)
{
    static struct delta_type text = {.id = DELTA_STRING}, number = {.id = DELTA_LONG}, time = {.id = DELTA_TIMESTAMP};
    const struct delta_field added[] = {{.name = STR(DELTA_CHANGE_TYPE_COLUMN), .type = &text, .nullable = true},
                                        {.name = STR(DELTA_COMMIT_VERSION_COLUMN), .type = &number, .nullable = true},
                                        {.name = STR(DELTA_COMMIT_TIMESTAMP_COLUMN), .type = &time, .nullable = true}};
    const struct delta_type *schema = end->head->schema;
    struct delta_type *type = ARENA_NEW(arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, schema->field_count + VV_ARRAY_COUNT(added));
    *out = NULL;
    if (!type || !fields)
        return error_oom(err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(added); i++)
        if (delta_field_find(schema, added[i].name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" has a column \"%.*s\" of its own: its changes cannot be shown",
                             end->table->name, STR_ARG(added[i].name));
    if (schema->field_count)
        memcpy(fields, schema->fields, schema->field_count * sizeof *fields);
    memcpy(fields + schema->field_count, added, sizeof added);
    *type = (struct delta_type){.id = DELTA_STRUCT, .field_count = schema->field_count + VV_ARRAY_COUNT(added), .fields = fields};
    *out = type;
    return STATUS_OK;
}

/* ---- is the range whole, and of one shape -------------------------------------------------------------- */

static bool fits(const struct delta_type *from, const struct delta_type *to)
{
    if (from->id != to->id)
        return from->id == DELTA_VOID || delta_type_can_widen(from, to);
    if (to->id == DELTA_ARRAY)
        return fits(from->element, to->element);
    if (to->id == DELTA_MAP)
        return fits(from->key, to->key) && fits(from->element, to->element);
    for (uint32_t i = 0; to->id == DELTA_STRUCT && i < to->field_count; i++) {
        const struct delta_field *field = delta_field_find(from, to->fields[i].name);
        if (field && !fits(field->type, to->fields[i].type))
            return false;
    }
    return to->id != DELTA_DECIMAL || delta_type_equal(from, to) || delta_type_can_widen(from, to);
}

static bool same_partition_columns(const struct str *a, uint32_t a_count, const struct str *b, uint32_t b_count)
{
    bool same = a_count == b_count;
    for (uint32_t i = 0; same && i < a_count; i++)
        same = str_ieq(a[i], b[i]);
    return same;
}

static enum status refuse_shape(const struct reader *r, const char *what, struct str column, struct error *err)
{
    error_set(err, STATUS_SCHEMA_MISMATCH, "the changes of table \"%s\" cannot be read from version %lld to %lld: %s%s%.*s%s at version %lld",
              r->end->table->name, (long long)r->version, (long long)r->end->version, what, column.len ? " \"" : "", STR_ARG(column),
              column.len ? "\"" : "", (long long)r->version);
    return error_hint(err, "read the versions before the change and those after it in two queries");
}

static enum status check_shape(struct reader *r, const struct delta_metadata *m, struct error *err)
{
    const struct delta_head *end = r->end->head;
    struct delta_type *schema, *physical;
    struct str *keys;
    arena_clear(&r->arena);
    enum status status = delta_schema_parse(&r->arena, m->schema_string, &schema, err);
    if (!status)
        status = delta_partition_keys(&r->arena, m, &keys, err);
    if (status)
        return status;
    if (!(physical = delta_physical_schema(&r->arena, delta_mapping_mode(m), schema)))
        return error_oom(err);
    if (!same_partition_columns(keys, m->partition_column_count, end->partition_keys, end->metadata.partition_column_count))
        return refuse_shape(r, "the table had other partition columns", STR(""), err);
    if (delta_mapping_mode(m) != DELTA_MAPPING_NONE && delta_mapping_mode(&end->metadata) == DELTA_MAPPING_NONE)
        return refuse_shape(r, "columns were mapped", STR(""), err);
    for (uint32_t i = 0; i < r->end_schema->field_count; i++) {
        const struct delta_field *field = &r->end_schema->fields[i], *old = delta_field_find(physical, field->name);
        if (old && !fits(old->type, field->type))
            return refuse_shape(r, "another type was that of column", end->schema->fields[i].name, err);
    }
    return STATUS_OK;
}

static enum status check_metadata(struct reader *r, const struct delta_metadata *m, struct error *err)
{
    const char *name = r->end->table->name;
    if (delta_config_bool(m, "delta.enableChangeDataFeed", false) || delta_config_bool(m, "delta.enableChangeDataCapture", false))
        return check_shape(r, m, err);
    error_set(err, STATUS_CHANGE_DATA_NOT_RECORDED, "table \"%s\" did not record its changes at version %lld", name, (long long)r->version);
    return error_hint(err,
                      "DESCRIBE HISTORY shows when the feed was turned on; to start it: ALTER TABLE %s SET TBLPROPERTIES "
                      "(delta.enableChangeDataFeed = true)",
                      name);
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static bool copy_text(struct arena *arena, struct str from, struct str *to)
{
    *to = from.ptr ? arena_str(arena, from) : STR_NULL;
    return !from.ptr || to->ptr;
}

static struct str value_of(const struct delta_property *values, uint32_t count, struct str key)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_eq(values[i].key, key))
            return values[i].value;
    return STR_NULL;
}

/* A file action of a commit, whatever its kind. */
struct source {
    struct str path;
    int64_t size_bytes, modified_ms;
    const struct delta_property *values;
    uint32_t value_count;
    const struct delta_dv *dv;
    const struct str *by_column; /* the values in order, when they are not in values */
};

static struct source source_of_add(const struct delta_action_add *a)
{
    return (struct source){a->path, a->size_bytes, a->modified_ms, a->partition_values, a->partition_value_count, a->has_dv ? &a->dv : NULL};
}

static struct source source_of_remove(const struct delta_action_remove *a)
{
    return (struct source){a->path, a->size_bytes, 0, a->partition_values, a->partition_value_count, a->has_dv ? &a->dv : NULL};
}

static struct source source_of_cdc(const struct delta_action_cdc *a)
{
    return (struct source){a->path, a->size_bytes, 0, a->partition_values, a->partition_value_count, NULL};
}

static bool copy_values(struct reader *r, const struct source *from, const char *change_type, struct str *to)
{
    const struct delta_head *head = r->end->head;
    uint32_t count = head->metadata.partition_column_count;
    char version[32], timestamp[40];
    for (uint32_t i = 0; i < count; i++) {
        struct str value = from->by_column ? from->by_column[i] : value_of(from->values, from->value_count, head->partition_keys[i]);
        if (!copy_text(&r->out->arena, value, &to[i]))
            return false;
    }
    snprintf(version, sizeof version, "%lld", (long long)r->version);
    timestamp_to_iso(r->timestamp_us, true, timestamp);
    return copy_text(&r->out->arena, str_of(version), &to[count]) && copy_text(&r->out->arena, str_of(timestamp), &to[count + 1]) &&
           copy_text(&r->out->arena, str_of(change_type), &to[count + 2]);
}

static bool copy_dv(struct arena *arena, const struct delta_dv *from, const struct delta_dv **to)
{
    if (!from)
        return true;
    struct delta_dv *dv = arena_dup(arena, from, sizeof *from);
    *to = dv;
    return dv && copy_text(arena, from->storage, &dv->storage) && copy_text(arena, from->path, &dv->path);
}

static void forget_before(struct reader *r)
{
    delta_file_list_release(&r->files);
    delta_snapshot_unref(r->before);
    r->before = NULL;
}

/* A remove need not say its file's partition values (Spark's RESTORE does not): then the version before knows them. */
static enum status find_values(struct reader *r, struct source *from, struct error *err)
{
    enum status status = STATUS_OK;
    if (r->before && r->before->version != r->version - 1)
        forget_before(r);
    if (!r->before && r->version > 0) {
        status = delta_snapshot_at_version(r->ctx, r->end->table, r->version - 1, &r->before, err);
        if (!status)
            status = delta_scan(r->ctx, r->before, NULL, false, &r->files, err);
    }
    for (size_t i = 0; !status && i < r->files.count && !from->by_column; i++)
        if (str_eq(r->files.files[i].path, from->path))
            from->by_column = r->files.files[i].partition_values;
    return status;
}

/* change_type NULL: the file has it. */
static enum status fill_file(struct reader *r, struct source *from, const char *change_type, struct delta_file *out, struct error *err)
{
    uint32_t count = r->end->head->metadata.partition_column_count;
    struct str *values = ARENA_ARRAY(&r->out->arena, struct str, count + ADDED_VALUES);
    enum status status = count && !from->value_count ? find_values(r, from, err) : STATUS_OK;
    if (status)
        return status;
    if (count && !from->value_count && !from->by_column)
        return error_set(err, STATUS_CORRUPT_LOG,
                         "version %lld of table \"%s\" names file \"%.*s\" without partition values, and it was not there before",
                         (long long)r->version, r->end->table->name, STR_ARG(from->path));
    *out = (struct delta_file){.size_bytes = from->size_bytes, .modified_ms = from->modified_ms, .partition_values = values, .record_count = -1};
    if (!values || !copy_text(&r->out->arena, from->path, &out->path) || !copy_values(r, from, change_type, values) ||
        !copy_dv(&r->out->arena, from->dv, &out->dv))
        return error_oom(err);
    r->out->size_bytes = delta_sum(r->out->size_bytes, from->size_bytes);
    return STATUS_OK;
}

static bool reserve(void **items, size_t cap, size_t item_bytes)
{
    void *grown = mem_realloc(*items, cap * item_bytes);
    if (grown)
        *items = grown;
    return grown != NULL;
}

static enum status put_stored(struct reader *r, const struct delta_action_cdc *cdc, struct error *err)
{
    struct delta_changes *out = r->out;
    struct source from = source_of_cdc(cdc);
    if (out->stored_count == out->stored_cap) {
        size_t cap = out->stored_cap ? 2 * out->stored_cap : 8;
        if (!reserve((void **)&out->stored, cap, sizeof *out->stored))
            return error_oom(err);
        out->stored_cap = cap;
    }
    enum status status = fill_file(r, &from, NULL, &out->stored[out->stored_count], err);
    out->stored_count += status == STATUS_OK;
    return status;
}

/* Takes only, also on failure. */
static enum status put_derived(struct reader *r, struct source *from, const char *change_type, struct delta_rows *only, struct error *err)
{
    struct delta_changes *out = r->out;
    enum status status = STATUS_OK;
    if (out->derived_count == out->derived_cap) {
        size_t cap = out->derived_cap ? 2 * out->derived_cap : 8;
        if (!reserve((void **)&out->derived, cap, sizeof *out->derived) || !reserve((void **)&out->only, cap, sizeof(struct delta_rows *)))
            status = error_oom(err);
        else
            out->derived_cap = cap;
    }
    if (!status)
        status = fill_file(r, from, change_type, &out->derived[out->derived_count], err);
    if (!status)
        out->only[out->derived_count++] = only;
    else
        delta_rows_free(only);
    return status;
}

/* ---- a file that was given another deletion vector ------------------------------------------------------ */

static enum status read_rows(struct reader *r, const struct delta_dv *dv, struct delta_rows **out, struct error *err)
{
    if (dv)
        return delta_dv_read(r->ctx, r->end->table->store, dv, out, err);
    *out = delta_rows_new();
    return *out ? STATUS_OK : error_oom(err);
}

/* Rows of `in` that are not in `out`, as changes of this type. */
static enum status put_difference(struct reader *r, struct source *file, const struct delta_dv *in, const struct delta_dv *out,
                                  const char *change_type, struct error *err)
{
    struct delta_rows *rows = NULL, *without = NULL;
    enum status status = read_rows(r, in, &rows, err);
    if (!status)
        status = read_rows(r, out, &without, err);
    if (!status && !delta_rows_subtract(rows, without))
        status = error_oom(err);
    if (!status && delta_rows_count(rows)) {
        status = put_derived(r, file, change_type, rows, err);
        rows = NULL;
    }
    delta_rows_free(rows);
    delta_rows_free(without);
    return status;
}

static enum status put_redeleted(struct reader *r, const struct delta_action_add *add, const struct delta_action_remove *gone, struct error *err)
{
    struct source file = source_of_add(add);
    const struct delta_dv *before = gone->has_dv ? &gone->dv : NULL, *after = file.dv;
    file.dv = NULL;
    enum status status = put_difference(r, &file, after, before, "delete", err);
    if (!status)
        status = put_difference(r, &file, before, after, "insert", err);
    if (status)
        error_context(err, "while comparing the deletion vectors of data file \"%.*s\"", STR_ARG(add->path));
    return status;
}

/* ---- one commit ------------------------------------------------------------------------------------------------ */

static void removed_release(struct removed_paths *p)
{
    mem_free(p->slots);
    mem_free(p->paired);
    buf_release(&p->key.scratch);
    arena_release(&p->arena);
}

/* The slot of p->key, or the free one where it belongs. */
static size_t removed_slot(const struct removed_paths *p)
{
    size_t at = p->key.hash & p->mask;
    while (p->slots[at].remove && !(p->slots[at].hash == p->key.hash && str_eq(p->slots[at].path, p->key.text)))
        at = (at + 1) & p->mask;
    return at;
}

static enum status removed_init(struct removed_paths *p, const struct delta_commit *c, struct error *err)
{
    *p = (struct removed_paths){.mask = 15};
    while (p->mask < 2 * c->remove_count)
        p->mask = 2 * p->mask + 1;
    p->slots = mem_calloc(p->mask + 1, sizeof *p->slots);
    p->paired = mem_calloc(c->remove_count + 1, sizeof *p->paired);
    if (!p->slots || !p->paired)
        return error_oom(err);
    for (size_t i = 0; i < c->remove_count; i++) {
        if (!delta_path_key_init(&p->key, c->removes[i].path))
            return error_oom(err);
        size_t at = removed_slot(p);
        p->slots[at].hash = p->key.hash;
        p->slots[at].remove = i + 1;
        if (!copy_text(&p->arena, p->key.text, &p->slots[at].path))
            return error_oom(err);
    }
    return STATUS_OK;
}

static enum status put_add(struct reader *r, struct removed_paths *removed, const struct delta_action_add *add, struct error *err)
{
    struct source from = source_of_add(add);
    if (!delta_path_key_init(&removed->key, add->path))
        return error_oom(err);
    size_t remove = removed->slots[removed_slot(removed)].remove;
    if (!remove)
        return add->data_change ? put_derived(r, &from, "insert", NULL, err) : STATUS_OK;
    removed->paired[remove - 1] = true;
    return add->data_change ? put_redeleted(r, add, &r->commit->removes[remove - 1], err) : STATUS_OK;
}

static enum status put_actions(struct reader *r, struct error *err)
{
    const struct delta_commit *c = r->commit;
    struct removed_paths removed;
    enum status status = removed_init(&removed, c, err);
    for (size_t i = 0; i < c->add_count && !status; i++)
        status = put_add(r, &removed, &c->adds[i], err);
    for (size_t i = 0; i < c->remove_count && !status; i++) {
        struct source from = source_of_remove(&c->removes[i]);
        if (c->removes[i].data_change && !removed.paired[i])
            status = put_derived(r, &from, "delete", NULL, err);
    }
    removed_release(&removed);
    return status;
}

static enum status put_commit(struct reader *r, struct error *err)
{
    const struct delta_commit *c = r->commit;
    enum status status = c->has_metadata ? check_metadata(r, &c->metadata, err) : STATUS_OK;
    if (status)
        return status;
    if (c->in_commit_timestamp_ms != INT64_MIN)
        r->timestamp_us = delta_ms_to_us(c->in_commit_timestamp_ms);
    if (!c->cdc_count)
        return put_actions(r, err);
    for (size_t i = 0; i < c->cdc_count && !status; i++)
        status = put_stored(r, &c->cdcs[i], err);
    return status;
}

/* ---- the range ---------------------------------------------------------------------------------------------------- */

/* The first version from which on every commit up to `last` is there. */
static int64_t first_unbroken(const struct delta_listing *l, int64_t last)
{
    int64_t first = last + 1;
    for (size_t i = l->commit_count; i-- > 0;)
        if (l->commits[i].version == first - 1)
            first--;
    return first;
}

static enum status check_range(const struct reader *r, const struct delta_listing *l, int64_t from, struct error *err)
{
    const char *name = r->end->table->name;
    int64_t first = first_unbroken(l, r->end->version);
    if (from > r->end->version)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the changes of table \"%s\" cannot be read from version %lld to %lld: the end is before the start", name, (long long)from,
                         (long long)r->end->version);
    if (from >= first)
        return STATUS_OK;
    if (first > r->end->version)
        return error_set(err, STATUS_VERSION_NOT_FOUND, "the log of table \"%s\" has no changes up to version %lld any more", name,
                         (long long)r->end->version);
    return error_set(err, STATUS_VERSION_NOT_FOUND,
                     "the changes of table \"%s\" at version %lld are not in its log any more: there are versions %lld to %lld", name,
                     (long long)from, (long long)first, (long long)r->end->version);
}

static enum status read_version(struct reader *r, struct error *err)
{
    struct delta_commit commit;
    enum status status = ctx_check(r->ctx, err);
    if (status)
        return status;
    enum store_result result = delta_commit_read(r->ctx, r->end->table, r->version, &commit, err);
    if (result == STORE_NOT_FOUND)
        return error_set(err, STATUS_VERSION_NOT_FOUND, "version %lld of table \"%s\" is not in its log any more", (long long)r->version,
                         r->end->table->name);
    if (result != STORE_OK)
        return delta_store_failure(result, r->end->table->name, err);
    r->commit = &commit;
    status = put_commit(r, err);
    r->commit = NULL;
    delta_commit_release(&commit);
    return status;
}

static enum status read_range(struct reader *r, const struct delta_listing *l, int64_t from, struct error *err)
{
    int64_t ms = INT64_MIN;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < l->commit_count && !status; i++) {
        ms = delta_next_timestamp_ms(ms, l->commits[i].modified_us);
        r->version = l->commits[i].version;
        r->timestamp_us = delta_ms_to_us(ms);
        if (r->version >= from && r->version <= r->end->version)
            status = read_version(r, err);
    }
    return status;
}

/* The metadata that is in force before the range's own: at its first version. */
static enum status check_start(struct reader *r, int64_t from, struct error *err)
{
    struct delta_snapshot *start;
    enum status status = delta_snapshot_at_version(r->ctx, r->end->table, from, &start, err);
    if (status)
        return status;
    r->version = from;
    status = check_metadata(r, &start->head->metadata, err);
    delta_snapshot_unref(start);
    return status;
}

enum status delta_changes_read(struct ctx *ctx, struct delta_snapshot *end, int64_t from, struct delta_changes *out, struct error *err)
{
    struct reader r = {.ctx = ctx, .end = end, .out = out};
    struct arena schema_arena = ARENA_INIT;
    struct delta_listing listing;
    *out = (struct delta_changes){0};
    enum status status = delta_log_list(ctx, end->table, 0, end->version, &listing, err);
    if (status)
        return status;
    r.end_schema = delta_physical_schema(&schema_arena, delta_mapping_mode(&end->head->metadata), end->head->schema);
    status = r.end_schema ? check_range(&r, &listing, from, err) : error_oom(err);
    if (!status)
        status = check_start(&r, from, err);
    if (!status)
        status = read_range(&r, &listing, from, err);
    if (status) {
        error_context(err, "while reading the changes of table \"%s\"", end->table->name);
        delta_changes_release(out);
    }
    forget_before(&r);
    delta_listing_release(&listing);
    arena_release(&schema_arena);
    arena_release(&r.arena);
    return status;
}

enum status delta_changes_first_at(struct ctx *ctx, struct delta_table *t, int64_t timestamp_us, int64_t *version, struct error *err)
{
    struct error refusal = ERROR_INIT;
    struct delta_listing listing;
    struct delta_snapshot *at;
    int64_t last;
    enum status status = delta_version_at_timestamp(ctx, t, timestamp_us, version, &refusal);
    if (!status) {
        if (!(status = delta_snapshot_at_version(ctx, t, *version, &at, err))) {
            *version += delta_snapshot_timestamp_us(at) < timestamp_us;
            delta_snapshot_unref(at);
        }
        return status;
    }
    if (status == STATUS_TIMESTAMP_OUT_OF_RANGE && !delta_snapshot_latest(ctx, t, &at, NULL)) {
        bool is_before = timestamp_us < delta_snapshot_timestamp_us(at);
        delta_snapshot_unref(at);
        if (is_before && !delta_log_list(ctx, t, 0, INT64_MAX, &listing, NULL)) {
            status = delta_listing_range(&listing, version, &last) ? STATUS_OK : status;
            delta_listing_release(&listing);
        }
    }
    if (status)
        error_move(err, &refusal);
    error_release(&refusal);
    return status;
}
