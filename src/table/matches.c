/* table/matches.c: which rows a change touches, and what is to happen to them. */
#include "table/table_int.h"

#include <stdlib.h>

/* ---- relations ------------------------------------------------------------------------------ */

static enum status scan_sql(struct rewriting *w, const struct delta_file *files, const struct delta_rows *const *only, size_t count, bool with_ids,
                            struct buf *sql, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(w->in->base);
    struct engine_hold *hold = NULL;
    struct engine_scan scan = {
        .table_name = table_name_of(w->table),
        .schema = w->schema,
        .partition_columns = m->partition_columns,
        .partition_column_count = m->partition_column_count,
        .mapping = delta_mapping_mode(m),
        .store = delta_table_store(w->table->table),
        .files = files,
        .file_count = count,
        .only = only,
        .row_columns = with_ids && w->tracks ? &w->row_columns : NULL,
        .with_positions = true,
    };
    enum status status = engine_scan_sql(w->ctx, w->e, &scan, sql, &hold, err);
    if (hold)
        engine_hold_join(&w->holds, hold);
    return status;
}

enum status rewrite_keep_text(struct rewriting *w, struct buf *sql, struct str *out, struct error *err)
{
    enum status status = buf_check(sql, err);
    if (!status && !(*out = arena_str(&w->arena, buf_view(sql))).ptr)
        status = error_oom(err);
    buf_release(sql);
    return status;
}

static bool is_part(const struct rewriting *w, const struct rewrite_file *file, enum rewrite_part part)
{
    if (part == REWRITE_CHANGED)
        return true;
    return w->with_vectors ? file->updated > 0 : !file->goes;
}

/* The files are numbered anew by the scan: their numbers in the matches are put back. */
static enum status part_sql(struct rewriting *w, const struct delta_file *list, const struct delta_rows *const *only, const uint32_t *index,
                            size_t count, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "(SELECT * REPLACE (CAST([");
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, "%s%u", i ? ", " : "", index[i]);
    buf_z(&sql, "][" ENGINE_FILE_COLUMN " + 1] AS INTEGER) AS " ENGINE_FILE_COLUMN ") FROM ");
    enum status status = scan_sql(w, list, w->with_vectors ? only : NULL, count, true, &sql, err);
    buf_char(&sql, ')');
    if (!status)
        return rewrite_keep_text(w, &sql, out, err);
    buf_release(&sql);
    return status;
}

enum status rewrite_relation(struct rewriting *w, enum rewrite_part part, struct str *out, struct error *err)
{
    struct delta_file *list = ARENA_ARRAY(&w->arena, struct delta_file, w->touched_count + 1);
    const struct delta_rows **only = ARENA_ARRAY(&w->arena, const struct delta_rows *, w->touched_count + 1);
    uint32_t *index = ARENA_ARRAY(&w->arena, uint32_t, w->touched_count + 1);
    size_t count = 0;
    *out = STR_NULL;
    if (!list || !only || !index)
        return error_oom(err);
    for (size_t i = 0; i < w->touched_count; i++) {
        const struct rewrite_file *file = &w->touched[i];
        if (!is_part(w, file, part))
            continue;
        list[count] = *file->file;
        only[count] = part == REWRITE_STAYING ? file->updates : file->changed;
        index[count++] = file->index;
    }
    return count ? part_sql(w, list, only, index, count, out, err) : STATUS_OK;
}

enum status rewrite_target(struct rewriting *w, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    enum status status = scan_sql(w, w->files.files, NULL, w->files.count, false, &sql, err);
    if (!status)
        return rewrite_keep_text(w, &sql, out, err);
    buf_release(&sql);
    return status;
}

void rewrite_put_with(const struct rewriting *w, struct str target, struct buf *sql)
{
    const char *before = "WITH ";
    const struct {
        const char *name;
        struct str relation;
    } names[] = {{TABLE_TARGET, target}, {TABLE_SOURCE, w->in->source}, {TABLE_MATCHES, w->matches}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(names); i++) {
        if (!names[i].relation.ptr)
            continue;
        buf_printf(sql, "%s%s AS NOT MATERIALIZED (SELECT * FROM %.*s)", before, names[i].name, STR_ARG(names[i].relation));
        before = ", ";
    }
    buf_z(sql, " SELECT * FROM (");
}

void rewrite_put_actions(const struct rewriting *w, enum table_action_kind kind, struct buf *sql)
{
    bool any = false;
    buf_char(sql, '(');
    for (uint32_t i = 0; i < w->in->action_count; i++)
        if (w->in->actions[i].kind == kind) {
            buf_printf(sql, any ? ", %u" : "%u", i);
            any = true;
        }
    buf_z(sql, any ? ")" : "-1)");
}

static enum status match_sql(struct rewriting *w, struct str *out, struct error *err)
{
    struct str target = STR_NULL;
    struct buf sql = BUF_INIT;
    enum status status = rewrite_target(w, &target, err);
    if (status)
        return status;
    rewrite_put_with(w, target, &sql);
    buf_printf(&sql, "%.*s\n)", STR_ARG(w->in->match.select));
    return rewrite_keep_text(w, &sql, out, err);
}

/* ---- counting ---------------------------------------------------------------------------------- */

/* Rows come in order of the files. */
static struct rewrite_file *touch(struct rewriting *w, int64_t index)
{
    size_t count = w->touched_count;
    if (count && w->touched[count - 1].index == index)
        return &w->touched[count - 1];
    w->touched[count] = (struct rewrite_file){.file = &w->files.files[index], .index = (uint32_t)index};
    w->touched_count++;
    return &w->touched[count];
}

/* file, action, rows */
static enum status count_action(void *user, const int64_t *const *columns, size_t rows, struct error *err)
{
    struct rewriting *w = user;
    for (size_t i = 0; i < rows; i++) {
        int64_t index = columns[0][i], action = columns[1][i], count = columns[2][i];
        if (index >= (int64_t)w->files.count || action < 0 || action >= (int64_t)w->in->action_count)
            return error_set(err, STATUS_INTERNAL, "a match names file %lld and action %lld", (long long)index, (long long)action);
        w->action_rows[action] += count;
        if (index < 0)
            continue;
        struct rewrite_file *file = touch(w, index);
        *(w->in->actions[action].kind == TABLE_ACTION_UPDATE ? &file->updated : &file->deleted) += count;
    }
    return STATUS_OK;
}

/* file, rows */
static enum status count_file(void *user, const int64_t *const *columns, size_t rows, struct error *err)
{
    struct rewriting *w = user;
    for (size_t i = 0; i < rows; i++) {
        if (columns[0][i] < 0 || columns[0][i] >= (int64_t)w->files.count)
            return error_set(err, STATUS_INTERNAL, "a match names file %lld", (long long)columns[0][i]);
        touch(w, columns[0][i])->deleted += columns[1][i];
        w->action_rows[0] += columns[1][i];
    }
    return STATUS_OK;
}

static enum status find_files(struct rewriting *w, struct str match, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql,
               "SELECT CAST(" ENGINE_FILE_COLUMN " AS BIGINT), CAST(varve_rows AS BIGINT) FROM (%.*s) AS t(" ENGINE_FILE_COLUMN
               ", varve_rows) ORDER BY 1",
               STR_ARG(match));
    enum status status = buf_check(&sql, err);
    if (!status)
        status = table_numbers(w->ctx, w->e, buf_view(&sql), w->in->session_settings, 2, count_file, w, err);
    buf_release(&sql);
    return status;
}

static enum status count_matches(struct rewriting *w, struct error *err)
{
    struct buf sql = BUF_INIT;
    bool repeats = w->in->is_merge && !w->in->one_row_each; /* several rows of the source may delete one row */
    buf_printf(&sql,
               "SELECT f, a, CASE WHEN f < 0 THEN n ELSE %s END FROM (SELECT CAST(COALESCE(" ENGINE_FILE_COLUMN
               ", -1) AS BIGINT) AS f, CAST(" TABLE_ACTION " AS BIGINT) AS a, count(*) AS n%s FROM %.*s WHERE " TABLE_ACTION
               " IS NOT NULL GROUP BY ALL) ORDER BY 1, 2",
               repeats ? "d" : "n", repeats ? ", count(DISTINCT " ENGINE_ROW_COLUMN ") AS d" : "", STR_ARG(w->matches));
    enum status status = buf_check(&sql, err);
    if (!status)
        status = table_numbers(w->ctx, w->e, buf_view(&sql), STR_NULL, 3, count_action, w, err);
    buf_release(&sql);
    return status;
}

/* ---- one row of the source for each row of the target --------------------------------------------- */

struct ambiguity {
    int64_t index, row, rows;
};

static enum status take_ambiguity(void *user, const int64_t *const *columns, size_t rows, struct error *err)
{
    (void)err;
    struct ambiguity *a = user;
    if (rows && !a->rows)
        *a = (struct ambiguity){columns[0][0], columns[1][0], columns[2][0]};
    return STATUS_OK;
}

static enum status check_one_row_each(struct rewriting *w, struct error *err)
{
    struct ambiguity found = {0};
    struct buf sql = BUF_INIT;
    if (!w->in->one_row_each)
        return STATUS_OK;
    buf_printf(&sql,
               "SELECT CAST(" ENGINE_FILE_COLUMN " AS BIGINT), " ENGINE_ROW_COLUMN ", count(*) FROM %.*s WHERE " ENGINE_FILE_COLUMN
               " IS NOT NULL AND " TABLE_SOURCE_ROW " IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 1",
               STR_ARG(w->matches));
    enum status status = buf_check(&sql, err);
    if (!status)
        status = table_numbers(w->ctx, w->e, buf_view(&sql), STR_NULL, 3, take_ambiguity, &found, err);
    buf_release(&sql);
    if (status || !found.rows)
        return status;
    error_set(err, STATUS_MERGE_AMBIGUOUS, "MERGE cannot decide: %lld rows of the source match one row of table \"%s\"", (long long)found.rows,
              w->table->qualified_name);
    if (found.index >= 0 && found.index < (int64_t)w->files.count)
        error_detail(err, "the row is number %lld of file \"%.*s\"", (long long)found.row, STR_ARG(w->files.files[found.index].path));
    return error_hint(err, "make the source's rows unique in the columns of the ON condition, for instance with row_number() or GROUP BY");
}

/* ---- counting and positions at once --------------------------------------------------------------------- */

/* The file's entry, whatever order the matches come in; NULL when memory is out. */
static struct rewrite_file *touch_marked(struct rewriting *w, int64_t index)
{
    uint32_t *at = &w->entries[index];
    if (*at)
        return &w->touched[*at - 1];
    struct rewrite_file *file = &w->touched[w->touched_count];
    *file = (struct rewrite_file){.file = &w->files.files[index], .index = (uint32_t)index};
    *at = (uint32_t)++w->touched_count;
    file->changed = delta_rows_new();
    file->updates = delta_rows_new();
    return file->changed && file->updates ? file : NULL;
}

/* Rows of one file and action. */
static enum status mark(struct rewriting *w, int64_t index, int64_t action, const uint64_t *positions, size_t rows, struct error *err)
{
    if (index >= (int64_t)w->files.count || action < 0 || action >= (int64_t)w->in->action_count)
        return error_set(err, STATUS_INTERNAL, "a match names file %lld and action %lld", (long long)index, (long long)action);
    w->action_rows[action] += (int64_t)rows;
    if (index < 0)
        return STATUS_OK;
    bool updates = w->in->actions[action].kind == TABLE_ACTION_UPDATE;
    struct rewrite_file *file = touch_marked(w, index);
    if (!file || !delta_rows_add(file->changed, positions, rows) || (updates && !delta_rows_add(file->updates, positions, rows)))
        return error_oom(err);
    *(updates ? &file->updated : &file->deleted) += (int64_t)rows;
    return STATUS_OK;
}

/* file, row, action; rows of one file and action mostly stand together. */
static enum status mark_rows(void *user, const int64_t *const *columns, size_t rows, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0, end; i < rows && !status; i = end) {
        for (end = i + 1; end < rows && columns[0][end] == columns[0][i] && columns[2][end] == columns[2][i];)
            end++;
        status = mark(user, columns[0][i], columns[2][i], (const uint64_t *)columns[1] + i, end - i, err);
    }
    return status;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = ((const struct rewrite_file *)a)->index, y = ((const struct rewrite_file *)b)->index;
    return x < y ? -1 : x > y;
}

static enum status mark_matches(struct rewriting *w, struct str relation, struct str settings, struct error *err)
{
    struct buf sql = BUF_INIT;
    w->entries = ARENA_ARRAY(&w->arena, uint32_t, w->files.count + 1);
    if (!w->entries)
        return error_oom(err);
    buf_printf(&sql,
               "SELECT CAST(COALESCE(" ENGINE_FILE_COLUMN ", -1) AS BIGINT), CAST(COALESCE(" ENGINE_ROW_COLUMN ", 0) AS BIGINT), CAST(" TABLE_ACTION
               " AS BIGINT) FROM %.*s WHERE " TABLE_ACTION " IS NOT NULL",
               STR_ARG(relation));
    enum status status = buf_check(&sql, err);
    if (!status)
        status = table_numbers(w->ctx, w->e, buf_view(&sql), settings, 3, mark_rows, w, err);
    qsort(w->touched, w->touched_count, sizeof *w->touched, by_index);
    buf_release(&sql);
    w->marked = !status;
    return status;
}

/* Every file that may be touched can have a vector, and no row of the target is counted twice. */
static bool can_mark(const struct rewriting *w)
{
    bool known = w->with_vectors && (!w->in->is_merge || w->in->one_row_each);
    for (size_t i = 0; i < w->files.count && known; i++)
        known = w->files.files[i].record_count >= 0;
    return known;
}

/* Nobody asks for the matches again. */
static bool only_deletes(const struct rewriting *w)
{
    bool only = !w->in->is_merge && !w->with_changes;
    for (uint32_t i = 0; i < w->in->action_count; i++)
        only &= w->in->actions[i].kind == TABLE_ACTION_DELETE;
    return only;
}

/* The matches of a DELETE with vectors are needed once: they are not kept. */
static enum status mark_at_once(struct rewriting *w, struct str match, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct str relation = STR_NULL;
    buf_printf(&sql, "(%.*s\n)", STR_ARG(match));
    enum status status = rewrite_keep_text(w, &sql, &relation, err);
    return status ? status : mark_matches(w, relation, w->in->session_settings, err);
}

/* ---- finding ------------------------------------------------------------------------------------------ */

enum status rewrite_find(struct rewriting *w, struct error *err)
{
    struct str match = STR_NULL;
    struct engine_hold *kept = NULL;
    w->touched = ARENA_ARRAY(&w->arena, struct rewrite_file, w->files.count + 1);
    w->action_rows = ARENA_ARRAY(&w->arena, int64_t, w->in->action_count + 1);
    if (!w->touched || !w->action_rows)
        return error_oom(err);
    enum status status = match_sql(w, &match, err);
    if (!status && w->in->by_file)
        return find_files(w, match, err);
    if (!status && can_mark(w) && only_deletes(w))
        return mark_at_once(w, match, err);
    if (!status)
        status = engine_keep_rows(w->ctx, w->e, match, NULL, w->in->session_settings, &w->arena, &w->matches, &w->match_count, &kept, err);
    if (status) {
        w->matches = STR_NULL;
        return status;
    }
    engine_hold_join(&w->holds, kept);
    status = check_one_row_each(w, err);
    if (status)
        return status;
    return can_mark(w) ? mark_matches(w, w->matches, STR_NULL, err) : count_matches(w, err);
}

/* ---- positions ------------------------------------------------------------------------------------------ */

static struct rewrite_file *find_touched(struct rewriting *w, int64_t index)
{
    size_t low = 0, high = w->touched_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->touched[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->touched_count && w->touched[low].index == index ? &w->touched[low] : NULL;
}

/* file, row, whether it is replaced; rows of one file and kind mostly stand together. */
static enum status take_positions(void *user, const int64_t *const *columns, size_t rows, struct error *err)
{
    struct rewriting *w = user;
    for (size_t i = 0, end; i < rows; i = end) {
        for (end = i + 1; end < rows && columns[0][end] == columns[0][i] && columns[2][end] == columns[2][i];)
            end++;
        struct rewrite_file *file = find_touched(w, columns[0][i]);
        const uint64_t *positions = (const uint64_t *)columns[1] + i;
        if (!file)
            return error_set(err, STATUS_INTERNAL, "a match names file %lld", (long long)columns[0][i]);
        if (!delta_rows_add(file->changed, positions, end - i) || (columns[2][i] && !delta_rows_add(file->updates, positions, end - i)))
            return error_oom(err);
    }
    return STATUS_OK;
}

enum status rewrite_positions(struct rewriting *w, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (w->marked)
        return STATUS_OK;
    for (size_t i = 0; i < w->touched_count; i++) {
        struct rewrite_file *file = &w->touched[i];
        file->changed = delta_rows_new();
        file->updates = delta_rows_new();
        if (!file->changed || !file->updates)
            return error_oom(err);
    }
    if (!w->matches.ptr)
        return STATUS_OK;
    buf_z(&sql, "SELECT CAST(" ENGINE_FILE_COLUMN " AS BIGINT), CAST(" ENGINE_ROW_COLUMN " AS BIGINT), CASE WHEN " TABLE_ACTION " IN ");
    rewrite_put_actions(w, TABLE_ACTION_UPDATE, &sql);
    buf_printf(&sql,
               " THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END FROM %.*s WHERE " ENGINE_FILE_COLUMN " IS NOT NULL AND " TABLE_ACTION
               " IS NOT NULL",
               STR_ARG(w->matches));
    enum status status = buf_check(&sql, err);
    if (!status)
        status = table_numbers(w->ctx, w->e, buf_view(&sql), STR_NULL, 3, take_positions, w, err);
    buf_release(&sql);
    return status;
}
