/* sql/alter.c: ALTER TABLE and COMMENT ON. */
#include "sql/sql_int.h"

static const struct sql_refusal alter_refusals[] = {
    {"DROP ROW FILTER", NULL},
    {"DROP PARTITION", "DELETE the rows, or INSERT OVERWRITE the table without them"},
    {"DROP PRIMARY KEY", NULL},
    {"ADD PARTITION", "partitions come with the rows that are inserted"},
    {"ADD IF NOT EXISTS PARTITION", "partitions come with the rows that are inserted"},
    {"RECOVER PARTITIONS", "a Delta table knows its partitions from its log"},
    {"RENAME PARTITION", NULL},
    {"SET ROW FILTER", "give readers a view: CREATE VIEW name AS SELECT … WHERE condition"},
    {"SET SERDE", NULL},
    {"SET SERDEPROPERTIES", NULL},
    {"SET TAGS", NULL},
    {"UNSET TAGS", NULL},
    {"SET OWNER", NULL},
    {"OWNER TO", NULL},
    {"PARTITION", NULL},
};

/* ---- columns that come and go ------------------------------------------------------------- */

static enum status take_new_columns(struct sql_parser *p, struct statement *st)
{
    bool brackets = sql_take_symbol(p, "(");
    enum status status;
    do
        status = sql_take_new_column(p, st);
    while (status == STATUS_OK && sql_take_symbol(p, ","));
    if (status != STATUS_OK || !brackets)
        return status;
    return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
}

static enum status take_add(struct sql_parser *p, struct statement *st)
{
    if (sql_at_word(p, "CONSTRAINT")) {
        st->alter = SQL_ALTER_ADD_CONSTRAINT;
        return sql_take_constraint(p, st);
    }
    if (!sql_take_word(p, "COLUMNS") && !sql_take_word(p, "COLUMN"))
        return sql_expected(p, "COLUMN, COLUMNS or CONSTRAINT after ADD");
    st->alter = SQL_ALTER_ADD_COLUMNS;
    if (sql_at_words(p, "IF NOT EXISTS"))
        return sql_refuse(p, "ADD COLUMN IF NOT EXISTS", "DESCRIBE the table to see its columns");
    return take_new_columns(p, st);
}

static enum status take_dropped_columns(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_DROP_COLUMNS;
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status != STATUS_OK || sql_at_symbol(p, "("))
        return status != STATUS_OK ? status : sql_take_path_list(p, &st->paths, &st->path_count);
    do {
        st->paths = sql_grow(p->arena, st->paths, st->path_count, sizeof *st->paths);
        if (!st->paths)
            return error_oom(p->err);
        status = sql_take_path(p, &st->paths[st->path_count]);
        st->path_count += status == STATUS_OK;
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    return status;
}

static enum status take_dropped_constraint(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_DROP_CONSTRAINT;
    st->constraints = ARENA_NEW(p->arena, struct sql_constraint);
    if (!st->constraints)
        return error_oom(p->err);
    st->constraint_count = 1;
    enum status status = sql_take_if_exists(p, &st->if_exists);
    return status == STATUS_OK ? sql_take_name_part(p, "a constraint's name", &st->constraints[0].name) : status;
}

static enum status take_dropped_feature(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_DROP_FEATURE;
    size_t start = p->token.start;
    enum status status =
        sql_at_text(p) ? sql_take_text(p, "a feature's name", &st->feature) : sql_take_name_part(p, "a feature's name", &st->feature);
    if (status == STATUS_OK && sql_at_symbol(p, "-")) { /* typeWidening-preview without quotes */
        sql_advance(p);
        struct str rest;
        status = sql_take_name_part(p, "the rest of the feature's name", &rest);
        st->feature = str_sub(p->text, start, p->last_end - start);
    }
    if (status == STATUS_OK)
        st->truncate_history = sql_take_words(p, "TRUNCATE HISTORY");
    return status;
}

static enum status take_drop(struct sql_parser *p, struct statement *st)
{
    if (sql_take_word(p, "COLUMNS") || sql_take_word(p, "COLUMN"))
        return take_dropped_columns(p, st);
    if (sql_take_word(p, "CONSTRAINT"))
        return take_dropped_constraint(p, st);
    if (sql_take_word(p, "FEATURE"))
        return take_dropped_feature(p, st);
    return sql_expected(p, "COLUMN, COLUMNS, CONSTRAINT or FEATURE after DROP");
}

/* ---- ALTER COLUMN --------------------------------------------------------------------------- */

static struct sql_column_change *push_change(struct sql_parser *p, struct statement *st, enum sql_change_kind kind, const struct sql_path *path)
{
    st->changes = sql_grow(p->arena, st->changes, st->change_count, sizeof *st->changes);
    if (!st->changes) {
        error_oom(p->err);
        return NULL;
    }
    st->changes[st->change_count] = (struct sql_column_change){.kind = kind, .path = *path, .offset = p->token.start};
    return &st->changes[st->change_count++];
}

static enum status take_set(struct sql_parser *p, struct statement *st, const struct sql_path *path)
{
    bool is_default = sql_at_word(p, "DEFAULT");
    if (sql_at_word(p, "MASK"))
        return sql_refuse(p, "ALTER COLUMN … SET MASK", "give readers a view that selects the masked value: CREATE VIEW name AS SELECT …");
    if (!is_default && sql_take_words(p, "DATA TYPE")) {
        struct sql_column_change *type = push_change(p, st, SQL_CHANGE_TYPE, path);
        return type ? sql_take_type(p, &type->type) : STATUS_OUT_OF_MEMORY;
    }
    if (!is_default && !sql_take_words(p, "NOT NULL"))
        return sql_expected(p, "NOT NULL, DEFAULT or DATA TYPE after SET");
    struct sql_column_change *change = push_change(p, st, is_default ? SQL_CHANGE_SET_DEFAULT : SQL_CHANGE_SET_NOT_NULL, path);
    if (!change)
        return STATUS_OUT_OF_MEMORY;
    return is_default ? (sql_advance(p), sql_take_default_text(p, &change->text)) : STATUS_OK;
}

static enum status take_drop_of_column(struct sql_parser *p, struct statement *st, const struct sql_path *path)
{
    bool is_default = sql_take_word(p, "DEFAULT");
    if (!is_default && !sql_take_words(p, "NOT NULL"))
        return sql_expected(p, "NOT NULL or DEFAULT after DROP");
    return push_change(p, st, is_default ? SQL_CHANGE_DROP_DEFAULT : SQL_CHANGE_DROP_NOT_NULL, path) ? STATUS_OK : STATUS_OUT_OF_MEMORY;
}

/* What may stand once or several times behind a column's name: returns with *found false at anything else. */
static enum status take_column_change(struct sql_parser *p, struct statement *st, const struct sql_path *path, bool *found)
{
    struct sql_column_change *change;
    *found = true;
    if (sql_take_word(p, "TYPE"))
        return (change = push_change(p, st, SQL_CHANGE_TYPE, path)) ? sql_take_type(p, &change->type) : STATUS_OUT_OF_MEMORY;
    if (sql_take_word(p, "COMMENT"))
        return (change = push_change(p, st, SQL_CHANGE_COMMENT, path)) ? sql_take_text(p, "the comment's text in quotes", &change->text)
                                                                       : STATUS_OUT_OF_MEMORY;
    if (sql_at_word(p, "FIRST") || sql_at_word(p, "AFTER")) {
        if (!(change = push_change(p, st, SQL_CHANGE_PLACE, path)))
            return STATUS_OUT_OF_MEMORY;
        change->first = sql_take_word(p, "FIRST");
        return change->first ? STATUS_OK : (sql_advance(p), sql_take_name_part(p, "a column name", &change->after));
    }
    if (sql_take_word(p, "SET"))
        return take_set(p, st, path);
    if (sql_take_word(p, "DROP"))
        return take_drop_of_column(p, st, path);
    if (sql_take_words(p, "SYNC IDENTITY"))
        return push_change(p, st, SQL_CHANGE_SYNC_IDENTITY, path) ? STATUS_OK : STATUS_OUT_OF_MEMORY;
    *found = false;
    return STATUS_OK;
}

/* CHANGE COLUMN old new type [COMMENT 'text'] [FIRST | AFTER column], Hive's form. */
static enum status take_hive_change(struct sql_parser *p, struct statement *st, const struct sql_path *path)
{
    struct sql_column c = {.nullable = true, .offset = p->token.start};
    struct sql_parser before = *p;
    enum status status = sql_take_name_part(p, "the column's name once more", &c.name);
    if (status == STATUS_OK && !str_ieq(c.name, path->parts[path->depth - 1]))
        return sql_refuse(&before, "CHANGE COLUMN to another name", "write ALTER TABLE … RENAME COLUMN old TO new");
    struct sql_column_change *change = status == STATUS_OK ? push_change(p, st, SQL_CHANGE_TYPE, path) : NULL;
    if (!change)
        return status != STATUS_OK ? status : STATUS_OUT_OF_MEMORY;
    status = sql_take_type(p, &change->type);
    for (bool found = true; status == STATUS_OK && found;)
        status = sql_at_word(p, "COMMENT") || sql_at_word(p, "FIRST") || sql_at_word(p, "AFTER") ? take_column_change(p, st, path, &found)
                                                                                                 : (found = false, STATUS_OK);
    return status;
}

static enum status take_changed_column(struct sql_parser *p, struct statement *st, bool hive)
{
    struct sql_path path;
    bool found = true;
    enum status status = sql_take_path(p, &path);
    uint32_t before = st->change_count;
    while (status == STATUS_OK && found)
        status = take_column_change(p, st, &path, &found);
    if (status != STATUS_OK || st->change_count > before)
        return status;
    if (hive && (p->token.kind == SQL_WORD || p->token.kind == SQL_QUOTED))
        return take_hive_change(p, st, &path);
    return sql_expected(p, "TYPE, COMMENT, FIRST, AFTER, SET, DROP or SYNC IDENTITY");
}

static enum status take_alter_column(struct sql_parser *p, struct statement *st, bool hive)
{
    enum status status;
    st->alter = SQL_ALTER_CHANGE_COLUMNS;
    sql_take_word(p, "COLUMN");
    do
        status = take_changed_column(p, st, hive);
    while (status == STATUS_OK && sql_take_symbol(p, ","));
    return status;
}

/* ---- the table as a whole --------------------------------------------------------------------- */

static enum status take_unset(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_UNSET_PROPERTIES;
    enum status status = sql_take_if_exists(p, &st->if_exists);
    return status == STATUS_OK ? sql_take_properties(p, true, &st->properties, &st->property_count) : status;
}

static enum status take_rename(struct sql_parser *p, struct statement *st)
{
    if (sql_take_word(p, "TO")) {
        st->alter = SQL_ALTER_RENAME_TABLE;
        return sql_take_table(p, false, &st->new_name);
    }
    if (!sql_take_word(p, "COLUMN"))
        return sql_expected(p, "TO or COLUMN after RENAME");
    st->alter = SQL_ALTER_RENAME_COLUMN;
    st->paths = ARENA_NEW(p->arena, struct sql_path);
    if (!st->paths)
        return error_oom(p->err);
    st->path_count = 1;
    enum status status = sql_take_path(p, &st->paths[0]);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "TO");
    return status == STATUS_OK ? sql_take_name_part(p, "the new name", &st->new_name.table) : status;
}

static enum status take_cluster_by(struct sql_parser *p, struct statement *st)
{
    st->alter = SQL_ALTER_CLUSTER_BY;
    return sql_take_word(p, "NONE") ? STATUS_OK : sql_take_path_list(p, &st->paths, &st->path_count);
}

static enum status take_change(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_refuse_any(p, "ALTER TABLE", alter_refusals, VV_ARRAY_COUNT(alter_refusals));
    if (status != STATUS_OK)
        return status;
    if (sql_take_words(p, "SET TBLPROPERTIES")) {
        st->alter = SQL_ALTER_SET_PROPERTIES;
        return sql_take_properties(p, false, &st->properties, &st->property_count);
    }
    if (sql_take_words(p, "UNSET TBLPROPERTIES"))
        return take_unset(p, st);
    if (sql_take_words(p, "SET LOCATION")) {
        st->alter = SQL_ALTER_SET_LOCATION;
        return sql_take_text(p, "a path in quotes", &st->location);
    }
    if (sql_take_words(p, "REPLACE COLUMNS")) {
        st->alter = SQL_ALTER_REPLACE_COLUMNS;
        return sql_at_symbol(p, "(") ? take_new_columns(p, st) : sql_expected(p, "a list of columns in brackets");
    }
    if (sql_take_words(p, "CLUSTER BY"))
        return take_cluster_by(p, st);
    if (sql_take_word(p, "ADD"))
        return take_add(p, st);
    if (sql_take_word(p, "DROP"))
        return take_drop(p, st);
    if (sql_take_word(p, "RENAME"))
        return take_rename(p, st);
    if (sql_take_word(p, "ALTER"))
        return take_alter_column(p, st, false);
    if (sql_take_word(p, "CHANGE"))
        return take_alter_column(p, st, true);
    if (sql_take_word(p, "SET"))
        return sql_expected(p, "TBLPROPERTIES or LOCATION");
    if (sql_take_word(p, "UNSET"))
        return sql_expected(p, "TBLPROPERTIES");
    return sql_expected(p, "ADD, ALTER COLUMN, CHANGE COLUMN, CLUSTER BY, DROP, RENAME, REPLACE COLUMNS, SET or UNSET");
}

enum status sql_parse_alter_table(struct sql_parser *p, struct statement *st)
{
    if (sql_at_words(p, "IF EXISTS"))
        return sql_refuse(p, "ALTER TABLE IF EXISTS", "see SHOW TABLES for what exists");
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = take_change(p, st);
    bool properties = st->alter == SQL_ALTER_SET_PROPERTIES || st->alter == SQL_ALTER_UNSET_PROPERTIES;
    if (status == STATUS_OK && properties && !st->property_count) {
        error_set(p->err, STATUS_SYNTAX, "the list of properties is empty");
        return sql_mark(p->err, p->last_end ? p->last_end - 1 : 0, STATUS_SYNTAX);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* ---- COMMENT ON ----------------------------------------------------------------------------------- */

static enum status take_comment_text(struct sql_parser *p, struct str *out)
{
    enum status status = sql_expect_word(p, "IS");
    if (status != STATUS_OK || sql_take_word(p, "NULL"))
        return status;
    return sql_take_text(p, "the comment's text in quotes, or NULL", out);
}

/* schema.table.column: the last part is the column, those before it the table. */
static enum status take_column_of_table(struct sql_parser *p, struct statement *st, struct sql_path *column)
{
    struct sql_path path;
    enum status status = sql_take_path(p, &path);
    if (status != STATUS_OK)
        return status;
    if (path.depth < 2 || path.depth > 4) {
        error_set(p->err, STATUS_SYNTAX, "COMMENT ON COLUMN needs the table's name before the column's: table.column");
        return sql_mark(p->err, path.offset, STATUS_SYNTAX);
    }
    st->name = (struct sql_name){.table = path.parts[path.depth - 2], .offset = path.offset};
    st->name.schema = path.depth > 2 ? path.parts[path.depth - 3] : STR_NULL;
    st->name.catalog = path.depth > 3 ? path.parts[0] : STR_NULL;
    st->name.is_path = path.depth == 3 && str_ieq(path.parts[0], STR("delta"));
    *column = (struct sql_path){.parts = &path.parts[path.depth - 1], .depth = 1, .offset = path.offset};
    return STATUS_OK;
}

enum status sql_parse_comment_on(struct sql_parser *p, struct statement *st)
{
    struct sql_path column;
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    if (sql_at_words(&lead, "COMMENT ON SCHEMA") || sql_at_words(&lead, "COMMENT ON DATABASE") || sql_at_words(&lead, "COMMENT ON NAMESPACE")) {
        st->alter = SQL_ALTER_SCHEMA_COMMENT;
        enum status status = sql_take_schema(p, &st->name);
        if (status == STATUS_OK)
            status = take_comment_text(p, &st->comment);
        return status == STATUS_OK ? sql_finish(p) : status;
    }
    if (sql_at_words(&lead, "COMMENT ON TABLE")) {
        st->alter = SQL_ALTER_COMMENT;
        enum status status = sql_take_table(p, false, &st->name);
        if (status == STATUS_OK)
            status = take_comment_text(p, &st->comment);
        return status == STATUS_OK ? sql_finish(p) : status;
    }
    st->alter = SQL_ALTER_CHANGE_COLUMNS;
    enum status status = take_column_of_table(p, st, &column);
    struct sql_column_change *change = status == STATUS_OK ? push_change(p, st, SQL_CHANGE_COMMENT, &column) : NULL;
    if (!change)
        return status != STATUS_OK ? status : STATUS_OUT_OF_MEMORY;
    status = take_comment_text(p, &change->text);
    return status == STATUS_OK ? sql_finish(p) : status;
}
