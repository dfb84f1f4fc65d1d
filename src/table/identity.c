/* table/identity.c: identity columns (protocol: "Identity Columns"): which numbers come next, and the mark that says so. */
#include "table/table_int.h"

/* ---- metadata of fields -------------------------------------------------------------------- */

static bool put_meta(struct arena *arena, struct delta_field *field, const struct delta_property *entry, struct str key)
{
    struct delta_property *all = ARENA_ARRAY(arena, struct delta_property, (size_t)field->metadata_count + 1);
    uint32_t count = 0;
    if (!all)
        return false;
    for (uint32_t i = 0; i < field->metadata_count; i++)
        if (!str_eq(field->metadata[i].key, key))
            all[count++] = field->metadata[i];
    if (entry)
        all[count++] = *entry;
    field->metadata = all;
    field->metadata_count = count;
    return true;
}

bool field_set_meta(struct arena *arena, struct delta_field *field, struct str key, struct str raw_json)
{
    struct delta_property entry = {.key = arena_str(arena, key), .value = raw_json.ptr ? arena_str(arena, raw_json) : STR_NULL};
    if (!raw_json.ptr)
        return put_meta(arena, field, NULL, key);
    return entry.key.ptr && entry.value.ptr && put_meta(arena, field, &entry, key);
}

bool field_set_meta_text(struct arena *arena, struct delta_field *field, struct str key, struct str text)
{
    struct delta_property entry;
    if (!text.ptr)
        return put_meta(arena, field, NULL, key);
    return delta_property_text(arena, key, text, &entry) && put_meta(arena, field, &entry, key);
}

/* ---- the numbers ---------------------------------------------------------------------------- */

bool identity_of(const struct delta_field *field, struct identity *out)
{
    struct str start = delta_field_meta(field, "delta.identity.start"), step = delta_field_meta(field, "delta.identity.step");
    struct str high = delta_field_meta(field, "delta.identity.highWaterMark");
    *out = (struct identity){.start = 1, .step = 1};
    if (!start.ptr && !step.ptr)
        return false;
    if (start.ptr && !str_to_i64(start, &out->start))
        return false;
    if (step.ptr && (!str_to_i64(step, &out->step) || out->step == 0))
        return false;
    out->has_high_water = high.ptr && str_to_i64(high, &out->high_water);
    out->allows_explicit = str_eq(delta_field_meta(field, "delta.identity.allowExplicitInsert"), STR("true"));
    return true;
}

bool identity_next(const struct identity *id, int64_t *out)
{
    *out = id->start;
    return !id->has_high_water || !__builtin_add_overflow(id->high_water, id->step, out);
}

static bool is_computed(const struct fit *const *fits, size_t fit_count, struct str column)
{
    for (size_t i = 0; i < fit_count; i++)
        for (size_t k = 0; k < fits[i]->computed_count; k++)
            if (str_ieq(fits[i]->computed[k], column))
                return true;
    return false;
}

/* The last of row_count values; at most the type's own bound, which the query has held them to. */
static int64_t last_value(const struct identity *id, int64_t row_count)
{
    int64_t first = id->start, distance, last;
    identity_next(id, &first);
    if (__builtin_mul_overflow(id->step, row_count - 1, &distance) || __builtin_add_overflow(first, distance, &last))
        return id->step > 0 ? INT64_MAX : INT64_MIN;
    return last;
}

enum status identity_advance(struct arena *arena, struct delta_type *schema, const struct fit *const *fits, size_t fit_count, int64_t row_count,
                             bool *changed, struct error *err)
{
    struct identity id;
    *changed = false;
    for (uint32_t i = 0; i < schema->field_count && row_count > 0; i++) {
        struct delta_field *field = &schema->fields[i];
        if (!identity_of(field, &id) || !is_computed(fits, fit_count, field->name))
            continue;
        struct str mark = str_of(arena_printf(arena, "%lld", (long long)last_value(&id, row_count)));
        if (!mark.ptr || !field_set_meta(arena, field, STR("delta.identity.highWaterMark"), mark))
            return error_oom(err);
        *changed = true;
    }
    return STATUS_OK;
}
