/* engine/pred.c: filters of DuckDB's plan as Delta predicates.
 *
 * What is not understood gives NULL, "no restriction".  That is right under an AND, where the other sides
 * still restrict; an OR with an unknown side is unknown; NOT is only taken of a plain boolean column. */
#include "engine/engine_int.h"

#define DAY_US 86400000000LL
#define EXACT_DOUBLE 9007199254740992.0 /* 2^53: below it every integer has its own double */

/* What a BOUND_REF means here. */
struct pred_env {
    struct arena *arena;
    const struct json *j;
    const struct delta_type *schema;
    uint32_t get;   /* the LOGICAL_GET whose output a filter above it sees */
    int64_t column; /* or the one column that a filter inside the GET sees; -1 when it sees all */
};

static struct delta_pred *of_expression(const struct pred_env *env, uint32_t node);

static enum json_type type_of(const struct json *j, uint32_t node) { return j->nodes[node].type; }

/* ---- building ----------------------------------------------------------------------- */

static struct delta_pred *group(const struct pred_env *env, enum delta_pred_op op, struct delta_pred **children, uint32_t count)
{
    if (count == 0)
        return NULL;
    if (count == 1)
        return children[0];
    struct delta_pred *p = ARENA_NEW(env->arena, struct delta_pred);
    if (p)
        *p = (struct delta_pred){.op = op, .children = children, .child_count = count};
    return p;
}

static struct delta_pred *both(const struct pred_env *env, struct delta_pred *a, struct delta_pred *b)
{
    struct delta_pred **pair = ARENA_ARRAY(env->arena, struct delta_pred *, 2);
    if (!pair || !a || !b)
        return a ? a : b;
    pair[0] = a;
    pair[1] = b;
    return group(env, DELTA_PRED_AND, pair, 2);
}

typedef struct delta_pred *(*pred_fn)(const struct pred_env *, uint32_t node);

/* AND keeps the sides that are understood, OR needs all of them. */
static struct delta_pred *of_list(const struct pred_env *env, enum delta_pred_op op, uint32_t array, pred_fn one)
{
    const struct json *j = env->j;
    struct delta_pred **children = array ? ARENA_ARRAY(env->arena, struct delta_pred *, j->nodes[array].count + 1) : NULL;
    uint32_t count = 0;
    if (!children)
        return NULL;
    for (uint32_t i = json_first(j, array); i < j->nodes[array].next; i = json_next(j, i)) {
        struct delta_pred *p = one(env, i);
        if (p)
            children[count++] = p;
        else if (op == DELTA_PRED_OR)
            return NULL;
    }
    return group(env, op, children, count);
}

/* ---- columns ------------------------------------------------------------------------------ */

/* Path of names, and the type of the leaf.  via: the type to which a lossless cast took it (NULL: none). */
struct column {
    const struct str *path;
    uint32_t depth;
    const struct delta_type *type;
    bool as_double, as_timestamp;
};

static bool top_column(const struct pred_env *env, int64_t index, struct column *out)
{
    if (index < 0 || index >= env->schema->field_count)
        return false;
    const struct delta_field *field = &env->schema->fields[index];
    *out = (struct column){.path = &field->name, .depth = 1, .type = field->type};
    return true;
}

static bool child_column(const struct pred_env *env, struct column *c, struct str name)
{
    const struct delta_field *field = c->type->id == DELTA_STRUCT ? delta_field_find(c->type, name) : NULL;
    struct str *path = field ? ARENA_ARRAY(env->arena, struct str, c->depth + 1) : NULL;
    if (!path)
        return false;
    memcpy(path, c->path, c->depth * sizeof(*path));
    path[c->depth] = field->name;
    c->path = path;
    c->depth++;
    c->type = field->type;
    return true;
}

/* Output column i of the GET -> column of the table. */
static int64_t output_column(const struct pred_env *env, int64_t i)
{
    const struct json *j = env->j;
    uint32_t ids = json_member(j, env->get, "projection_ids"), indexes = json_member(j, env->get, "column_indexes");
    int64_t at = i, column = -1;
    if (ids && j->nodes[ids].count) {
        uint32_t n = json_first(j, ids);
        for (; i > 0 && n < j->nodes[ids].next; i--)
            n = json_next(j, n);
        if (n >= j->nodes[ids].next || !json_i64(j, n, &at))
            return -1;
    }
    if (!indexes || at < 0)
        return -1;
    uint32_t n = json_first(j, indexes);
    for (; at > 0 && n < j->nodes[indexes].next; at--)
        n = json_next(j, n);
    if (n >= j->nodes[indexes].next || !json_i64(j, json_member(j, n, "index"), &column))
        return -1;
    return column;
}

static bool of_ref(const struct pred_env *env, uint32_t node, struct column *out)
{
    int64_t index;
    if (!json_i64(env->j, json_member(env->j, node, "index"), &index))
        return false;
    return top_column(env, env->column >= 0 ? env->column : output_column(env, index), out);
}

static struct str constant_text(const struct pred_env *env, uint32_t node)
{
    uint32_t value = tree_is(env->j, node, "expression_class", "BOUND_CONSTANT") ? json_member(env->j, node, "value") : 0;
    return value ? tree_text(env->j, value, "value", env->arena) : STR("");
}

static bool of_column(const struct pred_env *env, uint32_t node, struct column *out);

static bool of_struct_extract(const struct pred_env *env, uint32_t node, struct column *out)
{
    const struct json *j = env->j;
    uint32_t children = json_member(j, node, "children");
    if (!tree_is(j, node, "name", "struct_extract") || !children || j->nodes[children].count != 2)
        return false;
    uint32_t base = json_first(j, children);
    struct str name = constant_text(env, json_next(j, base));
    return name.len && of_column(env, base, out) && child_column(env, out, name);
}

static bool is_integer(enum delta_type_id id) { return id == DELTA_LONG || id == DELTA_INTEGER || id == DELTA_SHORT || id == DELTA_BYTE; }

/* Casts under which the order and equality of values stay as they are. */
static bool keeps_values(struct str to, struct column *c)
{
    enum delta_type_id from = c->type->id;
    bool to_integer = str_eq(to, STR("BIGINT")) || str_eq(to, STR("INTEGER")) || str_eq(to, STR("SMALLINT")) || str_eq(to, STR("HUGEINT"));
    if (is_integer(from) && (to_integer || str_eq(to, STR("DECIMAL"))))
        return true; /* a narrowing cast fails instead of wrapping */
    if (from == DELTA_DECIMAL)
        return false; /* may round */
    if (str_eq(to, STR("DOUBLE")) && from == DELTA_FLOAT)
        return true;
    c->as_double = is_integer(from) && (str_eq(to, STR("DOUBLE")) || str_eq(to, STR("FLOAT")));
    c->as_timestamp = from == DELTA_DATE && str_eq(to, STR("TIMESTAMP"));
    return c->as_double || c->as_timestamp;
}

static bool of_cast(const struct pred_env *env, uint32_t node, struct column *out)
{
    uint32_t child = json_member(env->j, node, "child"), type = json_member(env->j, node, "return_type");
    if (!child || !type || tree_true(env->j, node, "try_cast") || !of_column(env, child, out) || out->as_double || out->as_timestamp)
        return false;
    return keeps_values(tree_text(env->j, type, "id", env->arena), out);
}

static bool of_column(const struct pred_env *env, uint32_t node, struct column *out)
{
    const struct json *j = env->j;
    if (tree_is(j, node, "expression_class", "BOUND_REF"))
        return of_ref(env, node, out);
    if (tree_is(j, node, "expression_class", "BOUND_FUNCTION"))
        return of_struct_extract(env, node, out);
    return tree_is(j, node, "expression_class", "BOUND_CAST") && of_cast(env, node, out);
}

/* ---- constants -------------------------------------------------------------------------------- */

static bool hugeint(const struct json *j, uint32_t value, __int128 *out)
{
    int64_t small, upper;
    if (type_of(j, value) == JSON_NUMBER) {
        bool ok = json_i64(j, value, &small);
        *out = small;
        return ok;
    }
    uint32_t lower = json_member(j, value, "lower");
    if (!lower || !json_i64(j, json_member(j, value, "upper"), &upper))
        return false;
    unsigned __int128 low = 0;
    struct str digits = j->nodes[lower].text;
    for (size_t i = 0; i < digits.len; i++)
        low = low * 10 + (unsigned)(digits.ptr[i] - '0');
    *out = ((__int128)upper * ((__int128)1 << 64)) + (__int128)low;
    return true;
}

static bool decimal_value(const struct json *j, uint32_t type, uint32_t value, struct delta_value *out)
{
    int64_t width = 0, scale = 0;
    uint32_t info = json_member(j, type, "type_info");
    if (!info || !json_i64(j, json_member(j, info, "width"), &width) || !json_i64(j, json_member(j, info, "scale"), &scale))
        return false;
    out->type = DELTA_DECIMAL;
    out->precision = (uint8_t)width;
    out->scale = (uint8_t)scale;
    return hugeint(j, value, &out->dec);
}

/* Constants that live in i64: name of the type, and ours. */
static bool integral_value(const struct json *j, struct str name, uint32_t value, struct delta_value *out)
{
    static const struct {
        const char *name;
        enum delta_type_id type;
    } kinds[] = {{"TINYINT", DELTA_BYTE},
                 {"SMALLINT", DELTA_SHORT},
                 {"INTEGER", DELTA_INTEGER},
                 {"BIGINT", DELTA_LONG},
                 {"UTINYINT", DELTA_LONG},
                 {"USMALLINT", DELTA_LONG},
                 {"UINTEGER", DELTA_LONG},
                 {"UBIGINT", DELTA_LONG},
                 {"DATE", DELTA_DATE},
                 {"TIMESTAMP", DELTA_TIMESTAMP_NTZ},
                 {"TIMESTAMP WITH TIME ZONE", DELTA_TIMESTAMP}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(kinds); i++) {
        if (!str_eq(name, str_of(kinds[i].name)))
            continue;
        out->type = kinds[i].type;
        return json_i64(j, value, &out->i64);
    }
    return false;
}

static bool scalar_value(const struct pred_env *env, uint32_t type, uint32_t value, struct delta_value *out)
{
    const struct json *j = env->j;
    struct str name = tree_text(j, type, "id", env->arena);
    if (str_eq(name, STR("BOOLEAN"))) {
        bool yes;
        out->type = DELTA_BOOLEAN;
        bool ok = json_bool(j, value, &yes);
        out->i64 = ok && yes;
        return ok;
    }
    if (str_eq(name, STR("VARCHAR"))) {
        out->type = DELTA_STRING;
        out->str = type_of(j, value) == JSON_STRING ? json_text(j, value, env->arena) : STR_NULL;
        return out->str.ptr != NULL;
    }
    if (str_eq(name, STR("FLOAT")) || str_eq(name, STR("DOUBLE"))) {
        out->type = str_eq(name, STR("FLOAT")) ? DELTA_FLOAT : DELTA_DOUBLE;
        return type_of(j, value) == JSON_NUMBER && json_f64(j, value, &out->f64);
    }
    if (str_eq(name, STR("DECIMAL")))
        return decimal_value(j, type, value, out);
    return integral_value(j, name, value, out);
}

/* A serialised Value: {"type":{…},"is_null":false,"value":…}. */
static bool of_value(const struct pred_env *env, uint32_t node, struct delta_value *out)
{
    uint32_t type = json_member(env->j, node, "type"), value = json_member(env->j, node, "value");
    *out = (struct delta_value){0};
    return type && value && !tree_true(env->j, node, "is_null") && scalar_value(env, type, value, out);
}

static bool of_constant(const struct pred_env *env, uint32_t node, struct delta_value *out)
{
    if (!tree_is(env->j, node, "expression_class", "BOUND_CONSTANT"))
        return false;
    uint32_t value = json_member(env->j, node, "value");
    return value && of_value(env, value, out);
}

/* ---- comparisons -------------------------------------------------------------------------------- */

static struct delta_pred *leaf(const struct pred_env *env, enum delta_pred_op op, const struct column *c, const struct delta_value *values,
                               uint32_t count)
{
    struct delta_pred *p = ARENA_NEW(env->arena, struct delta_pred);
    const struct delta_value *kept = count ? arena_dup(env->arena, values, count * sizeof(*values)) : NULL;
    if (!p || (count && !kept))
        return NULL;
    *p = (struct delta_pred){.op = op, .column = c->path, .column_depth = c->depth, .values = kept, .value_count = count};
    return p;
}

static bool takes_string(const struct column *c, const struct delta_value *v) { return (v->type == DELTA_STRING) == (c->type->id == DELTA_STRING); }

static int64_t floor_day(int64_t us) { return us >= 0 ? us / DAY_US : -((-us + DAY_US - 1) / DAY_US); }

/* CAST(date AS TIMESTAMP) op constant, in days. */
static struct delta_pred *compare_days(const struct pred_env *env, enum delta_pred_op op, const struct column *c, struct delta_value v)
{
    if (v.type != DELTA_TIMESTAMP_NTZ)
        return NULL;
    bool midnight = floor_day(v.i64) * DAY_US == v.i64;
    v = (struct delta_value){.type = DELTA_DATE, .i64 = floor_day(v.i64)};
    if (!midnight && (op == DELTA_PRED_EQ || op == DELTA_PRED_NE))
        return NULL;
    if (!midnight && op == DELTA_PRED_LT)
        op = DELTA_PRED_LE;
    if (!midnight && op == DELTA_PRED_GE)
        op = DELTA_PRED_GT;
    return leaf(env, op, c, &v, 1);
}

static struct delta_pred *compare(const struct pred_env *env, enum delta_pred_op op, const struct column *c, const struct delta_value *v)
{
    if (c->as_timestamp)
        return compare_days(env, op, c, *v);
    if (c->as_double && !(v->f64 > -EXACT_DOUBLE / (1 << 29) && v->f64 < EXACT_DOUBLE / (1 << 29)))
        return NULL; /* also safe for a cast to FLOAT, which is exact up to 2^24 */
    return takes_string(c, v) ? leaf(env, op, c, v, 1) : NULL;
}

static bool comparison_op(struct str name, bool flipped, enum delta_pred_op *op)
{
    static const struct {
        const char *name;
        enum delta_pred_op op, mirrored;
    } ops[] = {{"COMPARE_EQUAL", DELTA_PRED_EQ, DELTA_PRED_EQ},
               {"COMPARE_NOT_DISTINCT_FROM", DELTA_PRED_EQ, DELTA_PRED_EQ},
               {"COMPARE_NOTEQUAL", DELTA_PRED_NE, DELTA_PRED_NE},
               {"COMPARE_LESSTHAN", DELTA_PRED_LT, DELTA_PRED_GT},
               {"COMPARE_GREATERTHAN", DELTA_PRED_GT, DELTA_PRED_LT},
               {"COMPARE_LESSTHANOREQUALTO", DELTA_PRED_LE, DELTA_PRED_GE},
               {"COMPARE_GREATERTHANOREQUALTO", DELTA_PRED_GE, DELTA_PRED_LE}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(ops); i++) {
        if (!str_eq(name, str_of(ops[i].name)))
            continue;
        *op = flipped ? ops[i].mirrored : ops[i].op;
        return true;
    }
    return false;
}

static struct delta_pred *of_comparison(const struct pred_env *env, uint32_t node)
{
    const struct json *j = env->j;
    uint32_t left = json_member(j, node, "left"), right = json_member(j, node, "right");
    struct column c = {0};
    struct delta_value v;
    enum delta_pred_op op;
    if (!left || !right)
        return NULL;
    bool flipped = tree_is(j, left, "expression_class", "BOUND_CONSTANT");
    if (!comparison_op(tree_text(j, node, "type", env->arena), flipped, &op))
        return NULL;
    if (!of_column(env, flipped ? right : left, &c) || !of_constant(env, flipped ? left : right, &v))
        return NULL;
    return compare(env, op, &c, &v);
}

static struct delta_pred *of_between(const struct pred_env *env, uint32_t node)
{
    const struct json *j = env->j;
    uint32_t input = json_member(j, node, "input"), lower = json_member(j, node, "lower"), upper = json_member(j, node, "upper");
    struct column c = {0};
    struct delta_value v;
    if (!input || !lower || !upper || !of_column(env, input, &c))
        return NULL;
    struct delta_pred *from = of_constant(env, lower, &v) ? compare(env, DELTA_PRED_GE, &c, &v) : NULL;
    struct delta_pred *to = of_constant(env, upper, &v) ? compare(env, DELTA_PRED_LE, &c, &v) : NULL;
    return both(env, from, to);
}

/* IN over a column and constants; values are the array's nodes from `first` on. */
static struct delta_pred *in_values(const struct pred_env *env, const struct column *c, uint32_t array, uint32_t first,
                                    bool (*read)(const struct pred_env *, uint32_t, struct delta_value *))
{
    const struct json *j = env->j;
    struct delta_value *values = ARENA_ARRAY(env->arena, struct delta_value, j->nodes[array].count + 1);
    uint32_t count = 0;
    if (!values || c->as_double || c->as_timestamp)
        return NULL;
    for (uint32_t i = first; i < j->nodes[array].next; i = json_next(j, i))
        if (!read(env, i, &values[count]) || !takes_string(c, &values[count++]))
            return NULL;
    return count ? leaf(env, DELTA_PRED_IN, c, values, count) : NULL;
}

static struct delta_pred *of_operator(const struct pred_env *env, uint32_t node)
{
    const struct json *j = env->j;
    uint32_t children = json_member(j, node, "children"), first = children ? json_first(j, children) : 0;
    struct delta_value no = {.type = DELTA_BOOLEAN};
    struct column c = {0};
    if (!children || first >= j->nodes[children].next || !of_column(env, first, &c))
        return NULL;
    if (tree_is(j, node, "type", "COMPARE_IN"))
        return in_values(env, &c, children, json_next(j, first), of_constant);
    if (tree_is(j, node, "type", "OPERATOR_IS_NULL"))
        return leaf(env, DELTA_PRED_IS_NULL, &c, NULL, 0);
    if (tree_is(j, node, "type", "OPERATOR_IS_NOT_NULL"))
        return leaf(env, DELTA_PRED_IS_NOT_NULL, &c, NULL, 0);
    if (tree_is(j, node, "type", "OPERATOR_NOT") && c.type->id == DELTA_BOOLEAN)
        return leaf(env, DELTA_PRED_EQ, &c, &no, 1);
    return NULL;
}

/* The least text that is greater than all texts with this prefix; only for an ASCII last byte, so that it stays UTF-8. */
static bool prefix_end(struct arena *arena, struct str prefix, struct str *out)
{
    char *end = arena_dup(arena, prefix.ptr, prefix.len);
    if (!end || (unsigned char)end[prefix.len - 1] >= 0x7e)
        return false;
    end[prefix.len - 1]++;
    *out = (struct str){end, prefix.len};
    return true;
}

static struct delta_pred *of_prefix(const struct pred_env *env, uint32_t node)
{
    const struct json *j = env->j;
    uint32_t children = json_member(j, node, "children");
    struct column c = {0};
    struct delta_value from, to = {.type = DELTA_STRING};
    bool known = tree_is(j, node, "name", "prefix") || tree_is(j, node, "name", "starts_with") || tree_is(j, node, "name", "^@");
    if (!known || !children || j->nodes[children].count != 2 || !of_column(env, json_first(j, children), &c))
        return NULL;
    if (!of_constant(env, json_next(j, json_first(j, children)), &from) || from.type != DELTA_STRING || !from.str.len)
        return NULL;
    struct delta_pred *above = compare(env, DELTA_PRED_GE, &c, &from);
    return prefix_end(env->arena, from.str, &to.str) ? both(env, above, compare(env, DELTA_PRED_LT, &c, &to)) : above;
}

static struct delta_pred *of_boolean_column(const struct pred_env *env, uint32_t node)
{
    struct delta_value yes = {.type = DELTA_BOOLEAN, .i64 = 1};
    struct column c = {0};
    return of_column(env, node, &c) && c.type->id == DELTA_BOOLEAN ? leaf(env, DELTA_PRED_EQ, &c, &yes, 1) : NULL;
}

static struct delta_pred *of_expression(const struct pred_env *env, uint32_t node)
{
    const struct json *j = env->j;
    struct str class = tree_text(j, node, "expression_class", env->arena);
    if (str_eq(class, STR("BOUND_CONJUNCTION")))
        return of_list(env, tree_is(j, node, "type", "CONJUNCTION_OR") ? DELTA_PRED_OR : DELTA_PRED_AND, json_member(j, node, "children"),
                       of_expression);
    if (str_eq(class, STR("BOUND_COMPARISON")))
        return of_comparison(env, node);
    if (str_eq(class, STR("BOUND_BETWEEN")))
        return of_between(env, node);
    if (str_eq(class, STR("BOUND_OPERATOR")))
        return of_operator(env, node);
    struct delta_pred *p = str_eq(class, STR("BOUND_FUNCTION")) ? of_prefix(env, node) : NULL;
    return p ? p : of_boolean_column(env, node);
}

/* ---- filters inside a GET -------------------------------------------------------------------------- */

static struct delta_pred *of_table_filter(const struct pred_env *env, const struct column *c, uint32_t node);

/* of_list with the column along. */
static struct delta_pred *of_filters(const struct pred_env *env, const struct column *c, enum delta_pred_op op, uint32_t array)
{
    const struct json *j = env->j;
    struct delta_pred **children = array ? ARENA_ARRAY(env->arena, struct delta_pred *, j->nodes[array].count + 1) : NULL;
    uint32_t count = 0;
    if (!children)
        return NULL;
    for (uint32_t i = json_first(j, array); i < j->nodes[array].next; i = json_next(j, i)) {
        struct delta_pred *p = of_table_filter(env, c, i);
        if (p)
            children[count++] = p;
        else if (op == DELTA_PRED_OR)
            return NULL;
    }
    return group(env, op, children, count);
}

static struct delta_pred *of_constant_filter(const struct pred_env *env, const struct column *c, uint32_t node)
{
    struct delta_value v;
    enum delta_pred_op op;
    uint32_t constant = json_member(env->j, node, "constant");
    if (!constant || !comparison_op(tree_text(env->j, node, "comparison_type", env->arena), false, &op) || !of_value(env, constant, &v))
        return NULL;
    return compare(env, op, c, &v);
}

static struct delta_pred *of_struct_filter(const struct pred_env *env, struct column c, uint32_t node)
{
    uint32_t child = json_member(env->j, node, "child_filter");
    if (!child || !child_column(env, &c, tree_text(env->j, node, "child_name", env->arena)))
        return NULL;
    return of_table_filter(env, &c, child);
}

static struct delta_pred *of_table_filter(const struct pred_env *env, const struct column *c, uint32_t node)
{
    const struct json *j = env->j;
    struct str type = tree_text(j, node, "filter_type", env->arena);
    uint32_t child = json_member(j, node, "child_filter"), values = json_member(j, node, "values"), expr = json_member(j, node, "expr");
    if (str_eq(type, STR("CONSTANT_COMPARISON")))
        return of_constant_filter(env, c, node);
    if (str_eq(type, STR("CONJUNCTION_AND")) || str_eq(type, STR("CONJUNCTION_OR")))
        return of_filters(env, c, str_eq(type, STR("CONJUNCTION_OR")) ? DELTA_PRED_OR : DELTA_PRED_AND, json_member(j, node, "child_filters"));
    if (str_eq(type, STR("IN_FILTER")) && values)
        return in_values(env, c, values, json_first(j, values), of_value);
    if (str_eq(type, STR("OPTIONAL_FILTER")) && child)
        return of_table_filter(env, c, child);
    if (str_eq(type, STR("STRUCT_EXTRACT")))
        return of_struct_filter(env, *c, node);
    if (str_eq(type, STR("IS_NULL")))
        return leaf(env, DELTA_PRED_IS_NULL, c, NULL, 0);
    if (str_eq(type, STR("IS_NOT_NULL")))
        return leaf(env, DELTA_PRED_IS_NOT_NULL, c, NULL, 0);
    if (str_eq(type, STR("EXPRESSION_FILTER")) && expr && c->depth == 1)
        return of_expression(env, expr);
    return NULL;
}

/* One entry of table_filters: {"key":<column>,"value":{filter}}. */
static struct delta_pred *of_keyed_filter(const struct pred_env *outer, uint32_t node)
{
    struct pred_env env = *outer;
    struct column c = {0};
    uint32_t value = json_member(env.j, node, "value");
    if (!value || !json_i64(env.j, json_member(env.j, node, "key"), &env.column) || !top_column(&env, env.column, &c))
        return NULL;
    return of_table_filter(&env, &c, value);
}

struct delta_pred *pred_of_get(struct arena *arena, const struct json *j, uint32_t get, uint32_t filter, const struct delta_type *schema)
{
    struct pred_env env = {.arena = arena, .j = j, .schema = schema, .get = get, .column = -1};
    uint32_t filters = json_member(j, get, "table_filters"), list = filters ? json_member(j, filters, "filters") : 0;
    struct delta_pred *inside = list ? of_list(&env, DELTA_PRED_AND, list, of_keyed_filter) : NULL;
    uint32_t expressions = filter ? json_member(j, filter, "expressions") : 0;
    struct delta_pred *above = expressions ? of_list(&env, DELTA_PRED_AND, expressions, of_expression) : NULL;
    return both(&env, inside, above);
}
