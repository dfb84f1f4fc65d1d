/* engine/cast.c: numbers with a fraction lose it when they are cast to whole ones, as Spark does it; DuckDB rounds. */
#include "engine/engine_int.h"

#include <math.h>
#include <stdio.h>

/* A whole number's type. */
struct target {
    duckdb_type id;
    int64_t least, most;
    const char *name;
};
static const struct target targets[] = {{DUCKDB_TYPE_TINYINT, INT8_MIN, INT8_MAX, "TINYINT"},
                                        {DUCKDB_TYPE_SMALLINT, INT16_MIN, INT16_MAX, "SMALLINT"},
                                        {DUCKDB_TYPE_INTEGER, INT32_MIN, INT32_MAX, "INT"},
                                        {DUCKDB_TYPE_BIGINT, INT64_MIN, INT64_MAX, "BIGINT"}};

static void put(duckdb_vector output, const struct target *to, idx_t row, int64_t v)
{
    void *data = duckdb_vector_get_data(output);
    switch (to->id) {
    case DUCKDB_TYPE_TINYINT:
        ((int8_t *)data)[row] = (int8_t)v;
        break;
    case DUCKDB_TYPE_SMALLINT:
        ((int16_t *)data)[row] = (int16_t)v;
        break;
    case DUCKDB_TYPE_INTEGER:
        ((int32_t *)data)[row] = (int32_t)v;
        break;
    default:
        ((int64_t *)data)[row] = v;
    }
}

static void set_null(duckdb_vector output, idx_t row)
{
    duckdb_vector_ensure_validity_writable(output);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
}

/* A value that the type cannot hold: the statement fails, or TRY_CAST makes NULL of it. */
static bool refuse(duckdb_function_info info, const struct target *to, const char *value, idx_t row, duckdb_vector output)
{
    char reason[160];
    snprintf(reason, sizeof reason, "%s is out of range of %s; TRY_CAST makes NULL of it", value, to->name);
    if (duckdb_cast_function_get_cast_mode(info) == DUCKDB_CAST_TRY)
        duckdb_cast_function_set_row_error(info, reason, row, output);
    else
        duckdb_cast_function_set_error(info, reason);
    return false;
}

/* ---- floating point ---------------------------------------------------------------------------------- */

static bool cast_one(duckdb_function_info info, const struct target *to, double v, idx_t row, duckdb_vector output)
{
    char text[40];
    double whole = trunc(v);
    /* the largest BIGINT is no double; the next one is out of range */
    if (whole >= (double)to->least && (to->id == DUCKDB_TYPE_BIGINT ? whole < 9223372036854775808.0 : whole <= (double)to->most)) {
        put(output, to, row, (int64_t)whole);
        return true;
    }
    snprintf(text, sizeof text, "%.17g", v);
    return refuse(info, to, text, row, output);
}

static bool cast_double(duckdb_function_info info, idx_t count, duckdb_vector input, duckdb_vector output)
{
    const struct target *to = duckdb_cast_function_get_extra_info(info);
    const uint64_t *validity = duckdb_vector_get_validity(input);
    const double *values = duckdb_vector_get_data(input);
    bool ok = true;
    for (idx_t i = 0; i < count; i++) {
        if (!vector_valid(validity, i))
            set_null(output, i);
        else
            ok &= cast_one(info, to, values[i], i, output);
    }
    return ok;
}

static bool cast_float(duckdb_function_info info, idx_t count, duckdb_vector input, duckdb_vector output)
{
    const struct target *to = duckdb_cast_function_get_extra_info(info);
    const uint64_t *validity = duckdb_vector_get_validity(input);
    const float *values = duckdb_vector_get_data(input);
    bool ok = true;
    for (idx_t i = 0; i < count; i++) {
        if (!vector_valid(validity, i))
            set_null(output, i);
        else
            ok &= cast_one(info, to, (double)values[i], i, output);
    }
    return ok;
}

/* ---- decimals --------------------------------------------------------------------------------------------- */

static __int128 unscaled(duckdb_type stored, const void *data, idx_t row)
{
    __int128 wide;
    switch (stored) {
    case DUCKDB_TYPE_SMALLINT:
        return ((const int16_t *)data)[row];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)data)[row];
    case DUCKDB_TYPE_BIGINT:
        return ((const int64_t *)data)[row];
    default:
        memcpy(&wide, (const char *)data + row * sizeof wide, sizeof wide);
        return wide;
    }
}

static bool cast_decimal(duckdb_function_info info, idx_t count, duckdb_vector input, duckdb_vector output)
{
    const struct target *to = duckdb_cast_function_get_extra_info(info);
    const uint64_t *validity = duckdb_vector_get_validity(input);
    const void *data = duckdb_vector_get_data(input);
    duckdb_logical_type type = duckdb_vector_get_column_type(input);
    duckdb_type stored = duckdb_decimal_internal_type(type);
    int scale = duckdb_decimal_scale(type);
    __int128 divisor = 1;
    bool ok = true;
    for (int i = 0; i < scale; i++)
        divisor *= 10;
    for (idx_t i = 0; i < count; i++) {
        if (!vector_valid(validity, i)) {
            set_null(output, i);
            continue;
        }
        __int128 v = unscaled(stored, data, i), whole = v / divisor;
        if (whole >= to->least && whole <= to->most) {
            put(output, to, i, (int64_t)whole);
            continue;
        }
        char text[48];
        decimal_to_text(v, scale, text);
        ok &= refuse(info, to, text, i, output);
    }
    duckdb_destroy_logical_type(&type);
    return ok;
}

/* ---- registering ---------------------------------------------------------------------------------------------- */

static bool register_one(duckdb_connection connection, duckdb_logical_type from, const struct target *to, duckdb_cast_function_t run)
{
    duckdb_cast_function f = duckdb_create_cast_function();
    duckdb_logical_type type = duckdb_create_logical_type(to->id);
    bool ok = f && from && type;
    if (ok) {
        duckdb_cast_function_set_source_type(f, from);
        duckdb_cast_function_set_target_type(f, type);
        duckdb_cast_function_set_implicit_cast_cost(f, -1);
        duckdb_cast_function_set_extra_info(f, (void *)to, NULL);
        duckdb_cast_function_set_function(f, run);
        ok = duckdb_register_cast_function(connection, f) == DuckDBSuccess;
    }
    duckdb_destroy_logical_type(&type);
    duckdb_destroy_cast_function(&f);
    return ok;
}

enum { DIGITS_MAX = 38 };

static bool register_decimals(duckdb_connection connection)
{
    bool ok = true;
    for (int precision = 1; precision <= DIGITS_MAX; precision++)
        for (int scale = 1; scale <= precision; scale++) {
            duckdb_logical_type from = duckdb_create_decimal_type((uint8_t)precision, (uint8_t)scale);
            for (size_t i = 0; i < VV_ARRAY_COUNT(targets); i++)
                ok = ok && register_one(connection, from, &targets[i], cast_decimal);
            duckdb_destroy_logical_type(&from);
        }
    return ok;
}

enum status casts_register(duckdb_connection connection, struct error *err)
{
    duckdb_logical_type of_double = duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE), of_float = duckdb_create_logical_type(DUCKDB_TYPE_FLOAT);
    bool ok = true;
    for (size_t i = 0; i < VV_ARRAY_COUNT(targets); i++)
        ok = ok && register_one(connection, of_double, &targets[i], cast_double) && register_one(connection, of_float, &targets[i], cast_float);
    ok = ok && register_decimals(connection);
    duckdb_destroy_logical_type(&of_double);
    duckdb_destroy_logical_type(&of_float);
    return ok ? STATUS_OK : error_set(err, STATUS_INTERNAL, "the engine does not take casts of numbers");
}
