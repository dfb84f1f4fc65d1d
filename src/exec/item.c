/* exec/item.c: what a session keeps under names. */
#include "exec/exec_int.h"

static void item_release(struct exec_item *i)
{
    mem_free(i->name);
    mem_free(i->text);
    mem_free(i->type);
    mem_free(i->initial);
    *i = (struct exec_item){0};
}

void exec_items_release(struct exec_items *all)
{
    for (size_t i = 0; i < all->count; i++)
        item_release(&all->items[i]);
    mem_free(all->items);
    *all = (struct exec_items){0};
}

struct exec_item *exec_items_find(const struct exec_items *all, struct str name)
{
    for (size_t i = 0; i < all->count; i++)
        if (str_ieq(str_of(all->items[i].name), name))
            return &all->items[i];
    return NULL;
}

static char *copy(struct str s, bool *failed)
{
    char *text = s.ptr ? mem_strndup(s.ptr, s.len) : NULL;
    *failed |= s.ptr && !text;
    return text;
}

enum status exec_items_put(struct exec_items *all, struct str name, const struct exec_item_text *text, struct error *err)
{
    bool failed = false;
    struct exec_item fresh = {
        .name = copy(name, &failed), .text = copy(text->text, &failed), .type = copy(text->type, &failed), .initial = copy(text->initial, &failed)};
    struct exec_item *old = exec_items_find(all, name);
    if (!old && !failed) {
        struct exec_item *grown = mem_realloc(all->items, (all->count + 1) * sizeof *grown);
        failed = !grown;
        all->items = grown ? grown : all->items;
    }
    if (failed) {
        item_release(&fresh);
        return error_oom(err);
    }
    if (old)
        item_release(old);
    else
        old = &all->items[all->count++];
    *old = fresh;
    return STATUS_OK;
}

bool exec_items_drop(struct exec_items *all, struct str name)
{
    struct exec_item *old = exec_items_find(all, name);
    if (!old)
        return false;
    item_release(old);
    all->count--;
    memmove(old, old + 1, (all->count - (size_t)(old - all->items)) * sizeof *old);
    return true;
}
