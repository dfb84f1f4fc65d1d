/* catalog/catalog_int.h: what the files of the catalog share. */
#ifndef VARVE_CATALOG_INT_H
#define VARVE_CATALOG_INT_H

#include "catalog/catalog.h"

#define CATALOG_PREFIX "_varve/catalog/"
#define CATALOG_SCHEMA_OBJECT "_schema.json"

/* An opened table.  It is used again only while the name's entry still says the same place. */
struct catalog_opened {
    char *key;    /* "schema/table", or the root of a table opened by path */
    char *place;  /* entry id and location; empty for paths */
    char *log_id; /* identity of the log's first file; empty while there is none */
    struct delta_table *table;
};
struct catalog {
    struct store *lake;
    struct delta_handler *handler;
    bool durable;
    pthread_mutex_t lock;          /* guards opened */
    struct catalog_opened *opened; /* sorted by key */
    size_t opened_count, opened_cap;
};

/* ---- names (name.c) ------------------------------------------------------------------ */

/* A table's name made canonical.  Texts live in the arena that made it. */
struct catalog_id {
    struct str schema, table;         /* lower case */
    struct str schema_dir, table_dir; /* of a managed table: one path segment each, other bytes than usual ones as ~XX */
    struct str entry_key;             /* of its entry in the lake's store */
    struct str qualified;             /* "varve.schema.table" */
};
/* CATALOG_NOT_FOUND, or INVALID_ARGUMENT / LIMIT_EXCEEDED for a name that cannot be one. */
enum status catalog_id_make(struct arena *arena, const struct catalog_name *name, struct catalog_id *out, struct error *err);
enum status catalog_schema_key(struct arena *arena, struct str schema, struct str *lower, struct str *key, struct error *err);
/* A segment of an entry's key back to the name; NULL ptr when it is not one (or memory is out). */
struct str catalog_unescape(struct arena *arena, struct str segment);
/* LOCATION or path text as an absolute path: file: URLs taken apart, a relative path put below base, "." and ".." resolved.
 * NOT_SUPPORTED for other URL schemes. */
enum status catalog_path_absolute(struct arena *arena, struct str text, struct str base, struct str *out, struct error *err);
enum status catalog_working_directory(struct arena *arena, struct str *out, struct error *err);

/* ---- entries (entry.c) ----------------------------------------------------------------- */

enum catalog_entry_state {
    CATALOG_CLAIMED,   /* a table as soon as its place has a log */
    CATALOG_ABANDONED, /* the claimer gave up: whoever claims next may choose another place */
    CATALOG_DROPPED    /* never a table: the object is about to be removed */
};
struct catalog_entry_object {
    struct str location; /* absolute path, or a key in the lake's store */
    struct str id;       /* made by the claimer */
    struct str view;     /* the query of a view, which has no location; NULL ptr: a table */
    struct str schema;   /* view: what plain names in it mean */
    struct str comment;  /* view; NULL ptr: none */
    bool managed;
    bool registers; /* the place had a log when it was claimed */
    enum catalog_entry_state state;
    struct str bytes; /* as it was read, in the arena; NULL ptr: was not */
};
enum { CATALOG_ENTRY_MAX_BYTES = 1024 * 1024 };
/* *found is false when there is no such object; entries that are dropped are found. */
enum status catalog_entry_read(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, struct catalog_entry_object *out, bool *found,
                               struct error *err);
/* The object's bytes. */
enum status catalog_entry_json(struct ctx *ctx, const struct catalog_entry_object *entry, struct buf *out, struct error *err);
/* Puts new (NULL: nothing) in the place of an entry as it was read.  *done is false when somebody else changed it since. */
enum status catalog_entry_replace(struct ctx *ctx, struct catalog *c, struct str key, const struct catalog_entry_object *old,
                                  const struct catalog_entry_object *new, bool *done, struct error *err);
/* Takes an entry that was read away: first it is replaced, durably, by one that says so, since a crash may bring back a removed object.
 * COMMIT_CONFLICT when somebody else changed it since. */
enum status catalog_entry_drop(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, struct catalog_entry_object *entry,
                               struct error *err);
/* Something that takes a table met a view: INVALID_ARGUMENT. */
enum status catalog_is_view(const struct catalog_id *id, struct error *err);
enum status catalog_object_remove(struct ctx *ctx, struct store *s, struct str key, struct error *err);
/* FAILED: the error set; UNKNOWN: STORE_IO. */
enum status catalog_store_status(enum store_result result, struct str key, struct error *err);

/* How many functions the schema of this key (catalog_schema_key) has; removes them when asked (function.c). */
enum status catalog_functions_of_schema(struct ctx *ctx, struct catalog *c, struct str key, bool remove, struct arena *arena, size_t *count,
                                        struct error *err);

/* ---- places (place.c) -------------------------------------------------------------------- */

/* The first file of a log, and what tells it from that of another log at the same place. */
struct catalog_log {
    bool found;
    char id[96];
};
/* base is empty or a key ending in '/'. */
enum status catalog_log_probe(struct ctx *ctx, struct store *s, struct str base, struct catalog_log *out, struct error *err);
enum status catalog_place_open(struct ctx *ctx, struct catalog *c, struct str location, struct store **out, struct error *err);
enum status catalog_place_probe(struct ctx *ctx, struct catalog *c, struct str location, struct catalog_log *out, struct error *err);
/* A place the user named, in the form entries hold it. */
enum status catalog_place_named(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str text, struct str *location, struct error *err);
/* Removes every object of a managed place, its log last. */
enum status catalog_place_delete(struct ctx *ctx, struct store *s, struct error *err);

/* ---- opened tables (opened.c) --------------------------------------------------------------- */

/* A reference to the table opened for key at place, or NULL; log_id gets the identity it was opened with (empty: unknown). */
struct delta_table *catalog_opened_get(struct catalog *c, struct str key, struct str place, char log_id[96]);
/* Remembers *table.  When another thread was faster *table becomes a reference to the one it opened. */
void catalog_opened_put(struct catalog *c, struct str key, struct str place, const char *log_id, struct delta_table **table);
void catalog_opened_forget(struct catalog *c, struct str key);
void catalog_opened_release(struct catalog *c);
struct str catalog_opened_place(struct arena *arena, const struct catalog_entry_object *entry); /* NULL ptr when out of memory */

/* Fills out; takes table (also on failure). */
enum status catalog_hand_out(struct delta_table *table, struct str qualified, bool managed, struct catalog_table *out, struct error *err);
enum status catalog_open_at(struct ctx *ctx, struct catalog *c, struct str key, struct str place, struct store *store, const char *log_id,
                            struct str qualified, struct delta_table **out, struct error *err);
/* Adds to a "not found" that the lake itself does not exist, when that is so: true. */
bool catalog_hint_lake(const struct catalog *c, struct error *err);
/* TABLE_NOT_FOUND or SCHEMA_NOT_FOUND, with the nearest name as hint. */
enum status catalog_table_not_found(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id, struct error *err);
/* The store, canonical root and log of a table that is named by its path. */
enum status catalog_open_path(struct ctx *ctx, struct catalog *c, struct str path, struct store **out, struct catalog_log *log, struct error *err);
enum status catalog_path_qualified(struct arena *arena, struct str root, struct str *out, struct error *err);

/* ---- listings (list.c) ------------------------------------------------------------------------ */

/* Keys of the lake's store below a prefix, in the arena, in byte order. */
enum status catalog_list_keys(struct ctx *ctx, struct store *s, struct str prefix, struct arena *arena, struct store_entry **out, size_t *count,
                              struct error *err);
/* The views and committed tables whose entries are below a prefix, sorted. */
enum status catalog_list_committed(struct ctx *ctx, struct catalog *c, struct str prefix, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err);
/* "schema/table" objects of an entry key, both unescaped; false for other objects. */
bool catalog_entry_key_split(struct arena *arena, struct str key, struct catalog_entry *out);

#endif
