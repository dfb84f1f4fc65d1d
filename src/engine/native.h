/* engine/native.h: the functions of the dialect that no macro can be. */
#ifndef VARVE_ENGINE_NATIVE_H
#define VARVE_ENGINE_NATIVE_H

#include "engine/engine_int.h"

/* hash.c: Spark's hash(…) and xxhash64(…) over any number of values of any type. */
void native_hash_murmur3(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
void native_hash_xxhash64(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);

/* pattern.c: texts of moments by Java's patterns.  (TIMESTAMP, VARCHAR) -> VARCHAR; (VARCHAR, VARCHAR, BOOLEAN) -> TIMESTAMP, where false makes NULL
 * of what is no moment. */
void native_format_time(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);
void native_parse_time(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output);

static inline duckdb_string_t *native_texts(duckdb_data_chunk input, idx_t column)
{
    return duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, column));
}
static inline void native_set_null(duckdb_vector output, idx_t row)
{
    duckdb_vector_ensure_validity_writable(output);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
}
/* Whether all arguments of the row are there; else the answer is NULL. */
bool native_row_is_whole(duckdb_data_chunk input, duckdb_vector output, idx_t row);

#endif
