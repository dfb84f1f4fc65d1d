/* engine/parsed.c: statements that were parsed before.  What a text refers to depends on nothing but the text, and servers are asked the
 * same texts all day: the engine's parser and its JSON cost more than a cached answer. */
#include "engine/engine_int.h"

#define LONGEST_KEPT ((size_t)8 << 10)

struct parsed_statement {
    struct arena arena; /* of everything below */
    struct str text;
    struct engine_parsed parsed;
};

void parsed_statements_init(struct parsed_statements *s) { pthread_mutex_init(&s->lock, NULL); }

static void statement_free(struct parsed_statement *p)
{
    if (!p)
        return;
    arena_release(&p->arena);
    mem_free(p);
}

void parsed_statements_release(struct parsed_statements *s)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(s->slots); i++)
        statement_free(s->slots[i]);
    pthread_mutex_destroy(&s->lock);
}

static bool copy_text(struct arena *arena, struct str *text)
{
    if (!text->ptr)
        return true;
    *text = arena_str(arena, *text);
    return text->ptr != NULL;
}

static bool copy_parsed(struct arena *arena, const struct engine_parsed *from, struct engine_parsed *to)
{
    *to = *from;
    to->refs = ARENA_ARRAY(arena, struct engine_ref, from->ref_count + 1);
    size_t *stars = ARENA_ARRAY(arena, size_t, from->star_count + 1);
    bool ok = to->refs && stars;
    if (ok && from->star_count)
        memcpy(stars, from->star_ends, from->star_count * sizeof(*stars));
    to->star_ends = stars;
    for (size_t i = 0; i < from->ref_count && ok; i++) {
        struct engine_ref *ref = &to->refs[i];
        *ref = from->refs[i];
        ok = copy_text(arena, &ref->catalog) && copy_text(arena, &ref->schema) && copy_text(arena, &ref->table) && copy_text(arena, &ref->alias);
    }
    return ok;
}

bool parsed_statements_find(struct parsed_statements *s, struct str sql, struct arena *arena, struct engine_parsed *out)
{
    pthread_mutex_lock(&s->lock);
    const struct parsed_statement *p = s->slots[hash_str(sql) % VV_ARRAY_COUNT(s->slots)];
    bool found = p && str_eq(p->text, sql) && copy_parsed(arena, &p->parsed, out);
    pthread_mutex_unlock(&s->lock);
    return found;
}

void parsed_statements_keep(struct parsed_statements *s, struct str sql, const struct engine_parsed *parsed)
{
    if (sql.len > LONGEST_KEPT)
        return;
    struct parsed_statement *p = mem_calloc(1, sizeof(*p)), *old = p;
    if (!p)
        return;
    p->text = arena_str(&p->arena, sql);
    if (p->text.ptr && copy_parsed(&p->arena, parsed, &p->parsed)) {
        struct parsed_statement **slot = &s->slots[hash_str(sql) % VV_ARRAY_COUNT(s->slots)];
        pthread_mutex_lock(&s->lock);
        old = *slot;
        *slot = p;
        pthread_mutex_unlock(&s->lock);
    }
    statement_free(old);
}
