/* catalog/opened.c: the tables that are open, so that their snapshots stay warm. */
#include "catalog/catalog_int.h"

#include <stdio.h>

static void opened_free(struct catalog_opened *o)
{
    mem_free(o->key);
    mem_free(o->place);
    mem_free(o->log_id);
    delta_table_unref(o->table);
}

/* Index of key, or where it belongs. */
static size_t find(const struct catalog *c, struct str key, bool *there)
{
    size_t low = 0, high = c->opened_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(str_of(c->opened[middle].key), key);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = false;
    return low;
}

struct str catalog_opened_place(struct arena *arena, const struct catalog_entry_object *entry)
{
    return str_of(arena_printf(arena, "%.*s %.*s", STR_ARG(entry->id), STR_ARG(entry->location)));
}

struct delta_table *catalog_opened_get(struct catalog *c, struct str key, struct str place, char log_id[96])
{
    struct delta_table *table = NULL;
    bool there;
    log_id[0] = '\0';
    pthread_mutex_lock(&c->lock);
    size_t i = find(c, key, &there);
    if (there && str_eq(str_of(c->opened[i].place), place)) {
        table = delta_table_ref(c->opened[i].table);
        snprintf(log_id, 96, "%s", c->opened[i].log_id);
    }
    pthread_mutex_unlock(&c->lock);
    return table;
}

static bool opened_make(struct catalog_opened *o, struct str key, struct str place, const char *log_id, struct delta_table *table)
{
    *o = (struct catalog_opened){
        .key = mem_strndup(key.ptr, key.len),
        .place = mem_strndup(place.ptr, place.len),
        .log_id = mem_strndup(log_id, strlen(log_id)),
        .table = delta_table_ref(table),
    };
    return o->key && o->place && o->log_id;
}

static bool room_for_one(struct catalog *c)
{
    if (c->opened_count < c->opened_cap)
        return true;
    size_t cap = c->opened_cap ? c->opened_cap * 2 : 16;
    struct catalog_opened *grown = mem_realloc(c->opened, cap * sizeof *grown);
    if (!grown)
        return false;
    c->opened = grown;
    c->opened_cap = cap;
    return true;
}

static bool same_place(const struct catalog_opened *a, const struct catalog_opened *b)
{
    return strcmp(a->place, b->place) == 0 && strcmp(a->log_id, b->log_id) == 0;
}

/* Without memory the table is simply not remembered. */
void catalog_opened_put(struct catalog *c, struct str key, struct str place, const char *log_id, struct delta_table **table)
{
    struct catalog_opened entry;
    if (!opened_make(&entry, key, place, log_id, *table)) {
        opened_free(&entry);
        return;
    }
    bool there;
    pthread_mutex_lock(&c->lock);
    size_t i = find(c, key, &there);
    if (there && same_place(&c->opened[i], &entry)) {
        delta_table_unref(*table); /* entry still holds one */
        *table = delta_table_ref(c->opened[i].table);
    } else if (there) {
        struct catalog_opened old = c->opened[i];
        c->opened[i] = entry;
        entry = old;
    } else if (room_for_one(c)) {
        memmove(&c->opened[i + 1], &c->opened[i], (c->opened_count - i) * sizeof *c->opened);
        c->opened[i] = entry;
        c->opened_count++;
        entry = (struct catalog_opened){0};
    }
    pthread_mutex_unlock(&c->lock);
    if (entry.table)
        opened_free(&entry);
}

void catalog_opened_forget(struct catalog *c, struct str key)
{
    struct catalog_opened gone = {0};
    bool there;
    pthread_mutex_lock(&c->lock);
    size_t i = find(c, key, &there);
    if (there) {
        gone = c->opened[i];
        c->opened_count--;
        memmove(&c->opened[i], &c->opened[i + 1], (c->opened_count - i) * sizeof *c->opened);
    }
    pthread_mutex_unlock(&c->lock);
    if (gone.table)
        opened_free(&gone);
}

void catalog_opened_release(struct catalog *c)
{
    for (size_t i = 0; i < c->opened_count; i++)
        opened_free(&c->opened[i]);
    mem_free(c->opened);
}
