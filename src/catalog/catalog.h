/* catalog/catalog.h: names to tables.  Every table reference of the program is handed out here, after the grant check.
 *
 * The local catalog lives in the lake directory itself, in objects that appear whole or not at all:
 *   _varve/catalog/<schema>/_schema.json             the schema exists
 *   _varve/catalog/<schema>/<table>.json             the table's name is taken: {"location":…,"id":…,"managed":…,"created":…}
 *   _varve/catalog/<schema>/<view>.json              the same for a view: {"view":"SELECT …","schema":…,"id":…,"created":…}
 *   _varve/catalog/<schema>/<name>.function          a function, whose names are not those of tables
 *   <schema>/<table>/_delta_log/…                    a managed table (or <table>_<8 hex> when that place was taken)
 * Names are stored lower-case; in keys of the catalog URI-escaped, as directories of tables with ~XX (two hex digits) for each byte but letters,
 * digits,
 * '_', '-', '.', blank and those of other scripts: "odd name" lies in "odd name", "a/b" in "a~2Fb".  Where a table lies its entry says.  A name is
 * claimed by put-if-absent, so of two processes creating one table exactly one wins; a table shows itself only once version 0 of its log is
 * committed.
 */
#ifndef VARVE_CATALOG_H
#define VARVE_CATALOG_H

#include "base/base.h"
#include "delta/delta.h"
#include "store/store.h"

struct catalog;
#define CATALOG_NAME "varve" /* the one catalog of a lake: varve.schema.table */
#define CATALOG_DEFAULT_SCHEMA "default"

/* store: the lake's root; it need not exist before something is written.  The schema "default" always exists. handler is given to every table. Opened
 * tables stay cached. */
enum status catalog_open(struct ctx *ctx, struct store *lake, bool durable, struct delta_handler *handler, struct catalog **out, struct error *err);
void catalog_close(struct catalog *c);
/* LAKE_NOT_FOUND while the lake's directory does not exist: for whoever lists what is in it, since an empty list would hide a mistyped path. */
enum status catalog_check_lake(const struct catalog *c, struct error *err);

struct catalog_name {
    struct str catalog, schema, table; /* NULL ptr: default */
    bool is_path;                      /* table is a directory path (absolute, or relative to the working directory) */
};
/* What the catalog hands out. */
struct catalog_table {
    struct delta_table *table; /* unref by catalog_table_release */
    char *qualified_name;      /* "varve.bronze.bars" or delta.`/path` */
    char *location;            /* absolute path */
    bool managed;
};
/* TABLE_NOT_FOUND with the nearest name as hint, or with the lake that does not exist; SCHEMA_NOT_FOUND; CATALOG_NOT_FOUND; for paths
 * NOT_A_DELTA_TABLE. */
enum status catalog_resolve(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct catalog_table *out, struct error *err);
void catalog_table_release(struct catalog_table *t);

/* Claims a name for a new table and opens its place (no log yet).  location NULL ptr: managed.  TABLE_EXISTS when a committed table has the name.
 * A relative location is below the lake's root.  Where a Delta table is already, it is registered: the name leads to it at once, and the caller sees
 * its log. Call catalog_claim_abandon when version 0 was not committed after all, or the table there does not suit: it takes the claim back and
 * releases t. */
enum status catalog_claim(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct str location, struct catalog_table *out,
                          struct error *err);
void catalog_claim_abandon(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct catalog_table *t);
/* Takes the name away first, then removes the files of a managed table (empty directories stay). *existed says whether there was a table; when not:
 * TABLE_NOT_FOUND or SCHEMA_NOT_FOUND with the nearest name, and an unfinished claim of the name is gone. */
enum status catalog_drop_table(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, bool *existed, struct error *err);
/* The name changes, the files stay where they are.  TABLE_EXISTS when the new name is taken. */
enum status catalog_rename_table(struct ctx *ctx, struct catalog *c, const struct catalog_name *from, const struct catalog_name *to,
                                 struct error *err);
/* The name of a table that is not managed leads to another Delta table from now on. */
enum status catalog_set_location(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct str location, struct error *err);

/* A view: a query with a name, in one name space with the tables.  Texts in the arena of whoever asked. */
struct catalog_view {
    struct str sql, schema; /* the query as written, and the schema that plain names in it mean */
    struct str comment;     /* NULL ptr: none */
    struct str qualified;   /* "varve.schema.view"; out */
};
/* *found is false when the name leads to no view (to a table, or to nothing), and for paths. */
enum status catalog_find_view(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name, struct catalog_view *out,
                              bool *found, struct error *err);
/* TABLE_EXISTS when a table has the name, or a view unless `replace`; LIMIT_EXCEEDED for a text that is too long for an entry. */
enum status catalog_create_view(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, const struct catalog_view *view, bool replace,
                                struct error *err);
/* TABLE_NOT_FOUND or SCHEMA_NOT_FOUND when there is nothing of that name, INVALID_ARGUMENT when it is a table's. */
enum status catalog_drop_view(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct error *err);

/* A function: the CREATE FUNCTION statement under its name.  Texts in the arena of whoever asked. */
struct catalog_function {
    struct str sql, schema; /* the statement as written, and the schema that plain names in it mean */
    struct str qualified;   /* out */
};
enum status catalog_find_function(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name,
                                  struct catalog_function *out, bool *found, struct error *err);
/* FUNCTION_EXISTS unless `replace`; LIMIT_EXCEEDED for a text that is too long for an entry. */
enum status catalog_create_function(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, const struct catalog_function *f,
                                    bool replace, struct error *err);
enum status catalog_drop_function(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, bool *existed, struct error *err);

/* A schema that exists already, or that does not when dropped, is not an error: *existed says so. */
enum status catalog_create_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct str comment, bool *existed, struct error *err);
/* SCHEMA_NOT_FOUND with the nearest name.  comment NULL ptr: none any more.  The schema that is always there has none. */
enum status catalog_comment_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct str comment, struct error *err);
struct catalog_schema {
    struct str name, comment, created; /* in the arena; NULL ptr where there is none; created is ISO 8601 */
};
enum status catalog_describe_schema(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct catalog_schema *out,
                                    struct error *err);
enum status catalog_drop_schema(struct ctx *ctx, struct catalog *c, struct str schema, bool cascade, bool *existed, struct error *err);
enum status catalog_check_schema(struct ctx *ctx, struct catalog *c, struct str schema, struct error *err); /* SCHEMA_NOT_FOUND with nearest */

/* Listings, sorted by name; texts in the arena. schema NULL ptr: all schemas. */
struct catalog_entry {
    struct str schema, table;
    bool is_view;
};
enum status catalog_list_schemas(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str **out, size_t *count, struct error *err);
enum status catalog_list_tables(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out, size_t *count,
                                struct error *err);
/* Of one schema; .table is the function's name. */
enum status catalog_list_functions(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err);
/* The same with the views among them. */
enum status catalog_list_relations(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err);

#endif
