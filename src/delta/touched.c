/* delta/touched.c: which files newer commits have added or removed (protocol: "Action Reconciliation").
 *
 * Files are told apart by path and deletion vector; a path has one add at most, so an add hides older adds of its
 * path whatever their vectors. */
#include "delta/delta_int.h"

enum { FIRST_FILES = 16 };

struct delta_touched_file {
    uint64_t hash;
    struct str path; /* decoded */
    bool is_add, has_dv;
    struct delta_dv dv;
};

static bool grow_slots(struct delta_touched *t)
{
    size_t slot_count = t->slot_count ? t->slot_count * 2 : FIRST_FILES * 2;
    uint32_t *slots = mem_calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        size_t at = t->files[i].hash & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(t->slots);
    t->slots = slots;
    t->slot_count = slot_count;
    return true;
}

static bool grow_files(struct delta_touched *t)
{
    if (t->count < t->cap)
        return true;
    size_t cap = t->cap ? t->cap * 2 : FIRST_FILES;
    struct delta_touched_file *files = mem_realloc(t->files, cap * sizeof *files);
    if (!files)
        return false;
    t->files = files;
    t->cap = cap;
    return true;
}

enum status delta_touched_put(struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv, bool is_add, struct error *err)
{
    if (!grow_files(t) || (t->count * 2 >= t->slot_count && !grow_slots(t)))
        return error_oom(err);
    struct delta_touched_file f = {.hash = key->hash, .path = arena_str(&t->arena, key->text), .is_add = is_add, .has_dv = dv != NULL};
    if (dv) {
        f.dv = *dv;
        f.dv.storage = arena_str(&t->arena, dv->storage);
        f.dv.path = arena_str(&t->arena, dv->path);
    }
    if (!f.path.ptr || (dv && (!f.dv.storage.ptr || !f.dv.path.ptr)))
        return error_oom(err);
    size_t at = f.hash & (t->slot_count - 1);
    while (t->slots[at])
        at = (at + 1) & (t->slot_count - 1);
    t->files[t->count++] = f;
    t->slots[at] = (uint32_t)t->count;
    return STATUS_OK;
}

/* The next touched file of this path from slot *at on; NULL when there is no more. */
static const struct delta_touched_file *next_of_path(const struct delta_touched *t, const struct delta_path_key *key, size_t *at)
{
    if (t->slot_count == 0)
        return NULL;
    for (; t->slots[*at & (t->slot_count - 1)]; ++*at) {
        const struct delta_touched_file *f = &t->files[t->slots[*at & (t->slot_count - 1)] - 1];
        if (f->hash == key->hash && str_eq(f->path, key->text)) {
            ++*at;
            return f;
        }
    }
    return NULL;
}

static bool same_dv(const struct delta_touched_file *f, const struct delta_dv *dv) { return delta_dv_equal(f->has_dv ? &f->dv : NULL, dv); }

bool delta_touched_hides_add(const struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv)
{
    const struct delta_touched_file *f;
    size_t at = key->hash;
    while ((f = next_of_path(t, key, &at)))
        if (f->is_add || same_dv(f, dv))
            return true;
    return false;
}

bool delta_touched_hides_remove(const struct delta_touched *t, const struct delta_path_key *key, const struct delta_dv *dv)
{
    const struct delta_touched_file *f;
    size_t at = key->hash;
    while ((f = next_of_path(t, key, &at)))
        if (same_dv(f, dv))
            return true;
    return false;
}

struct str delta_touched_path(const struct delta_touched *t, size_t i) { return t->files[i].path; }

void delta_touched_release(struct delta_touched *t)
{
    mem_free(t->files);
    mem_free(t->slots);
    arena_release(&t->arena);
    *t = (struct delta_touched){0};
}
