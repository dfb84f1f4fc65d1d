/* sql/parse_fuzz.c: whatever the bytes, splitting and parsing answer, and every view and position lies within the text. */
#include <stdlib.h>

#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_tokens(struct str text)
{
    size_t at = 0;
    for (struct sql_token t = sql_token_at(text, 0); t.kind != SQL_END; t = sql_token_at(text, t.end)) {
        must(t.start >= at && t.end > t.start && t.end <= text.len);
        at = t.end;
    }
}

/* Reads every byte, so that a view outside of memory shows. */
static uint64_t touch(struct str s) { return s.ptr ? hash_str(s) : 0; }

static uint64_t touch_statement(const struct statement *st)
{
    uint64_t sum = touch(st->name.catalog) + touch(st->name.schema) + touch(st->name.table) + touch(st->name.at.expr) + touch(st->location) +
                   touch(st->comment) + touch(st->pattern) + touch(st->query);
    for (uint32_t i = 0; i < st->column_count; i++) {
        const struct sql_column *c = &st->columns[i];
        must(c->type && c->offset <= st->text.len);
        sum += touch(c->name) + touch(c->comment) + touch(c->after);
        for (uint32_t d = 0; d < c->path_depth; d++)
            sum += touch(c->path[d]);
    }
    for (uint32_t i = 0; i < st->partition_column_count; i++)
        sum += touch(st->partition_columns[i]);
    for (uint32_t i = 0; i < st->insert_column_count; i++)
        sum += touch(st->insert_columns[i]);
    for (uint32_t i = 0; i < st->property_count; i++)
        sum += touch(st->properties[i].key) + touch(st->properties[i].value);
    for (uint32_t i = 0; i < st->format_option_count; i++)
        sum += touch(st->format_options[i].key) + touch(st->format_options[i].value);
    return sum;
}

/* Expressions of a change are views of the statement: their places are known. */
static uint64_t touch_part(const struct statement *st, struct str part)
{
    must(!part.ptr || (part.len && part.ptr >= st->text.ptr && part.ptr + part.len <= st->text.ptr + st->text.len));
    return touch(part);
}

static uint64_t touch_assignments(const struct statement *st, const struct sql_assignment *items, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        must(items[i].depth > 0 && items[i].offset <= st->text.len);
        for (uint32_t d = 0; d < items[i].depth; d++)
            sum += touch(items[i].path[d]);
        sum += touch_part(st, items[i].value);
    }
    return sum;
}

static uint64_t touch_change(const struct statement *st)
{
    const struct sql_change *c = &st->change;
    uint64_t sum = touch_part(st, c->with) + touch_part(st, c->condition) + touch_part(st, c->source) + touch(c->alias) + touch(c->source_alias) +
                   touch(c->restore_to.expr) + touch_assignments(st, c->assignments, c->assignment_count);
    for (uint32_t i = 0; i < c->clause_count; i++) {
        const struct sql_merge_clause *clause = &c->clauses[i];
        must(clause->offset <= st->text.len && (clause->when == SQL_MERGE_NOT_MATCHED) == (clause->then == SQL_MERGE_INSERT));
        sum += touch_part(st, clause->condition) + touch_assignments(st, clause->assignments, clause->assignment_count);
        for (uint32_t k = 0; k < clause->except_count; k++)
            sum += touch(clause->except[k]);
    }
    return sum;
}

static void check_equalities(struct arena *arena, struct str condition)
{
    struct sql_equality *all = NULL;
    uint32_t count = 0;
    if (!condition.ptr || sql_equalities(arena, condition, &all, &count, NULL) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        must(touch(all[i].left) + touch(all[i].right) + touch(all[i].left_qualifier) + touch(all[i].right_qualifier) != 1);
}

static void check_parse(struct str text)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct statement st;
    enum status status = sql_parse(&arena, text, &st, &err);
    if (status == STATUS_OK) {
        touch_statement(&st);
        touch_change(&st);
        check_equalities(&arena, st.change.condition);
        must(st.kind < STATEMENT_COUNT && st.query_offset <= text.len && st.name.offset <= text.len);
        if (st.query.ptr && st.kind != STATEMENT_COPY_INTO)
            must(st.query.ptr == text.ptr + st.query_offset && st.query_offset + st.query.len <= text.len);
    } else {
        must(err.code == status && err.message && err.position >= 0 && (size_t)err.position <= text.len);
        must(utf8_valid(str_of(err.message)) && (!err.hint || utf8_valid(str_of(err.hint))));
    }
    error_release(&err);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str script = {(const char *)data, size}, statement;
    size_t at = 0, before = 0;
    bool complete;
    check_tokens(script);
    check_parse(script);
    while (sql_next_statement(script, &at, &statement, &complete)) {
        must(at > before && at <= size && statement.len > 0 && statement.ptr >= script.ptr && statement.ptr + statement.len <= script.ptr + size);
        before = at;
        check_parse(statement);
    }
    return 0;
}
