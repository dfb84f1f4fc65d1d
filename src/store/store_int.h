/* store/store_int.h: what the implementations of a store share. */
#ifndef VARVE_STORE_INT_H
#define VARVE_STORE_INT_H

#include "store/store.h"

/* File names that begin so are the local store's own half-written objects: never
 * listed, never a key.  A crash can leave one behind; nothing refers to it, and a
 * later writer of the same directory sweeps it after a day. */
#define STORE_TEMP_PREFIX ".varve-tmp-"

/* A key has one or more non-empty segments, none "." or "..", none beginning with
 * STORE_TEMP_PREFIX, and no NUL byte.  INVALID_ARGUMENT otherwise. */
enum status store_key_check(struct str key, struct error *err);
/* The same for a listing's prefix: empty is fine, and so is a last segment cut short or empty. */
enum status store_prefix_check(struct str prefix, struct error *err);

void store_init(struct store *s, const struct store_vtable *v, struct str root);

/* STORE_FAILED, for `return store_failed(error_set(...))`. */
static inline enum store_result store_failed(enum status code)
{
    (void)code;
    return STORE_FAILED;
}

/* Removes temporary files older than a day from a directory; what fails is logged. */
void local_sweep(struct ctx *ctx, int dir_fd, const char *directory);

/* The listing of a local directory tree; root is absolute, without a slash at the end. */
enum store_result local_list(struct str root, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user, struct error *err);

#endif
