/* delta/type_widening.c: columns whose type grew while files keep the old one (protocol "Type Widening"). */
#include "delta/delta_int.h"

#define CHANGES_KEY "delta.typeChanges"

/* ---- which types grow into which ------------------------------------------------------------ */

/* Digits before the point that every value of an integer type fits into; 0 for other types. */
static int integer_digits(enum delta_type_id id)
{
    switch (id) {
    case DELTA_BYTE:
        return 3;
    case DELTA_SHORT:
        return 5;
    case DELTA_INTEGER:
        return 10;
    case DELTA_LONG:
        return 20;
    default:
        return 0;
    }
}

static int integer_rank(enum delta_type_id id)
{
    return id == DELTA_BYTE ? 1 : id == DELTA_SHORT ? 2 : id == DELTA_INTEGER ? 3 : id == DELTA_LONG ? 4 : 0;
}

/* The protocol's list, with the narrower decimals that Spark gives to bytes and shorts. */
static bool widens_to_decimal(const struct delta_type *from, const struct delta_type *to)
{
    int digits = integer_digits(from->id);
    if (digits)
        return to->precision - to->scale >= digits;
    return from->id == DELTA_DECIMAL && to->scale >= from->scale && to->precision - to->scale >= from->precision - from->scale &&
           to->precision >= from->precision;
}

bool delta_type_can_widen(const struct delta_type *from, const struct delta_type *to)
{
    int rank = integer_rank(from->id);
    switch (to->id) {
    case DELTA_SHORT:
    case DELTA_INTEGER:
    case DELTA_LONG:
        return rank && rank < integer_rank(to->id);
    case DELTA_DOUBLE:
        return from->id == DELTA_FLOAT || (rank && rank <= 3);
    case DELTA_DECIMAL:
        return widens_to_decimal(from, to) && !delta_type_equal(from, to);
    case DELTA_TIMESTAMP_NTZ:
        return from->id == DELTA_DATE;
    default:
        return false;
    }
}

/* ---- changes on record --------------------------------------------------------------------------- */

/* Reads one "fromType" or "toType", which is a type as in a schema. */
static enum status read_type(struct arena *arena, const struct json *j, uint32_t change, const char *key, struct delta_type **out, struct error *err)
{
    struct buf schema = BUF_INIT;
    uint32_t node = json_member(j, change, key);
    *out = NULL;
    if (!node || j->nodes[node].type != JSON_STRING)
        return error_set(err, STATUS_CORRUPT_LOG, "a type change does not say its \"%s\"", key);
    buf_printf(&schema, "{\"type\":\"struct\",\"fields\":[{\"name\":\"%s\",\"type\":\"%.*s\"}]}", key, STR_ARG(j->nodes[node].text));
    struct delta_type *type = NULL;
    enum status status = buf_check(&schema, err);
    if (!status)
        status = delta_schema_parse(arena, buf_view(&schema), &type, err);
    if (!status)
        *out = type->fields[0].type;
    buf_release(&schema);
    return status;
}

/* Which changes may be on record, and what to say of others. */
struct change_rule {
    bool (*allows)(const struct delta_type *from, const struct delta_type *to);
    enum status code;
    const char *why;
};

static enum status check_changes(struct arena *arena, const struct change_rule *rule, const struct delta_field *field, struct str changes,
                                 struct error *err)
{
    struct json j;
    enum status status = json_parse(arena, changes, &j, NULL);
    if (status || j.nodes[0].type != JSON_ARRAY)
        return status == STATUS_OUT_OF_MEMORY
                   ? error_oom(err)
                   : error_set(err, STATUS_CORRUPT_LOG, "\"" CHANGES_KEY "\" of column \"%.*s\" is not a list", STR_ARG(field->name));
    status = STATUS_OK;
    for (uint32_t i = json_first(&j, 0); i < j.nodes[0].next && !status; i = json_next(&j, i)) {
        struct delta_type *from, *to;
        status = read_type(arena, &j, i, "fromType", &from, err);
        if (!status)
            status = read_type(arena, &j, i, "toType", &to, err);
        if (!status && !rule->allows(from, to) && !delta_type_equal(from, to)) {
            struct buf text = BUF_INIT;
            delta_type_text(from, &text);
            buf_z(&text, " to ");
            delta_type_text(to, &text);
            status = error_set(err, rule->code, "column \"%.*s\" went from %.*s, a type change that %s", STR_ARG(field->name),
                               STR_ARG(buf_view(&text)), rule->why);
            buf_release(&text);
        }
    }
    return status;
}

static enum status check_type(struct arena *arena, const struct change_rule *rule, const struct delta_type *type, struct error *err)
{
    enum status status = STATUS_OK;
    if (type->key)
        status = check_type(arena, rule, type->key, err);
    if (!status && type->element)
        status = check_type(arena, rule, type->element, err);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count && !status; i++) {
        struct str changes = delta_field_meta(&type->fields[i], CHANGES_KEY);
        if (changes.ptr)
            status = check_changes(arena, rule, &type->fields[i], changes, err);
        if (!status)
            status = check_type(arena, rule, type->fields[i].type, err);
    }
    return status;
}

static enum status check_schema(const struct delta_type *schema, const struct change_rule *rule, struct error *err)
{
    struct arena arena = ARENA_INIT;
    enum status status = check_type(&arena, rule, schema, err);
    arena_release(&arena);
    return status;
}

enum status delta_type_changes_check(const struct delta_type *schema, struct error *err)
{
    return check_schema(schema, &(struct change_rule){delta_type_can_widen, STATUS_UNSUPPORTED_FEATURE, "is not supported"}, err);
}

enum status delta_type_changes_allowed(const struct delta_type *schema, bool (*allows)(const struct delta_type *from, const struct delta_type *to),
                                       const char *why, struct error *err)
{
    return check_schema(schema, &(struct change_rule){allows, STATUS_INVALID_ARGUMENT, why}, err);
}

bool delta_field_was_float(const struct delta_field *field)
{
    struct str changes = delta_field_meta(field, CHANGES_KEY);
    return changes.ptr && memmem(changes.ptr, changes.len, "\"float\"", 7);
}

/* ---- changing a type --------------------------------------------------------------------------------- */

/* Where a path leads: the type, the field that keeps the record, and the way from that field down. */
struct place {
    struct delta_type **type;
    struct delta_field *field;
    struct str way[16];
    uint32_t way_depth;
};

static bool step(struct place *p, struct str name)
{
    struct delta_type *type = *p->type;
    const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, name) : NULL;
    if (field) {
        p->field = (struct delta_field *)(uintptr_t)field;
        p->type = &p->field->type;
        p->way_depth = 0;
        return true;
    }
    bool element = type->id == DELTA_ARRAY && str_ieq(name, STR("element"));
    bool key = type->id == DELTA_MAP && str_ieq(name, STR("key")), value = type->id == DELTA_MAP && str_ieq(name, STR("value"));
    if ((!element && !key && !value) || p->way_depth == VV_ARRAY_COUNT(p->way))
        return false;
    p->way[p->way_depth++] = element ? STR("element") : key ? STR("key") : STR("value");
    p->type = key ? &type->key : &type->element;
    return true;
}

/* The earlier list with one more entry. */
static bool put_change(struct arena *arena, struct place *p, const struct delta_type *to)
{
    struct buf text = BUF_INIT;
    struct str old = delta_field_meta(p->field, CHANGES_KEY);
    size_t end = old.len && old.ptr[old.len - 1] == ']' ? old.len - 1 : 0;
    buf_str(&text, end ? str_sub(old, 0, end) : STR("["));
    buf_z(&text, end > 1 ? ",{\"fromType\":" : "{\"fromType\":");
    delta_schema_json(*p->type, &text);
    buf_z(&text, ",\"toType\":");
    delta_schema_json(to, &text);
    for (uint32_t i = 0; i < p->way_depth; i++)
        buf_printf(&text, "%s%.*s", i ? "." : ",\"fieldPath\":\"", STR_ARG(p->way[i]));
    buf_z(&text, p->way_depth ? "\"}]" : "}]");
    struct delta_property *all = ARENA_ARRAY(arena, struct delta_property, p->field->metadata_count + 1);
    struct str value = text.failed ? STR_NULL : arena_str(arena, buf_view(&text));
    buf_release(&text);
    if (!all || !value.ptr)
        return false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->field->metadata_count; i++)
        if (!str_eq(p->field->metadata[i].key, STR(CHANGES_KEY)))
            all[count++] = p->field->metadata[i];
    all[count++] = (struct delta_property){.key = STR(CHANGES_KEY), .value = value};
    p->field->metadata = all;
    p->field->metadata_count = count;
    return true;
}

static enum status refuse(const struct str *path, uint32_t depth, const struct delta_type *from, const struct delta_type *to, struct error *err)
{
    struct buf name = BUF_INIT, types = BUF_INIT;
    for (uint32_t i = 0; i < depth; i++)
        buf_printf(&name, "%s%.*s", i ? "." : "", STR_ARG(path[i]));
    if (!from) {
        error_set(err, STATUS_COLUMN_NOT_FOUND, "there is no column \"%.*s\"", STR_ARG(buf_view(&name)));
    } else {
        delta_type_text(from, &types);
        buf_z(&types, " to ");
        delta_type_text(to, &types);
        error_set(err, STATUS_INVALID_ARGUMENT, "the type of column \"%.*s\" cannot change from %.*s", STR_ARG(buf_view(&name)),
                  STR_ARG(buf_view(&types)));
    }
    buf_release(&name);
    buf_release(&types);
    return from ? STATUS_INVALID_ARGUMENT : STATUS_COLUMN_NOT_FOUND;
}

enum status delta_schema_widen_column(struct arena *arena, const struct delta_type *schema, const struct str *path, uint32_t depth,
                                      const struct delta_type *to, struct delta_type **out, struct error *err)
{
    struct delta_type *copy = delta_type_copy(arena, schema);
    struct place p = {.type = &copy};
    bool found = copy != NULL;
    *out = NULL;
    if (!copy)
        return error_oom(err);
    for (uint32_t i = 0; i < depth && found; i++)
        found = step(&p, path[i]);
    if (!found || !p.field)
        return refuse(path, depth, NULL, to, err);
    if (!delta_type_equal(*p.type, to)) {
        if (!delta_type_can_widen(*p.type, to))
            return refuse(path, depth, *p.type, to, err);
        if (!put_change(arena, &p, to) || !(*p.type = delta_type_copy(arena, to)))
            return error_oom(err);
    }
    *out = copy;
    return STATUS_OK;
}
