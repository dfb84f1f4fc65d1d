/* store/store.h: objects by key.  The only place where "atomic" is defined.
 *
 * A store holds immutable-ish byte objects under keys.  Keys are '/'-separated,
 * relative to the store's root, never begin with '/', have no empty part and none that
 * is "." or ".." or begins with ".varve-tmp-" (INVALID_ARGUMENT), and compare by bytes.
 * There is no rename: an object appears whole or not at all.
 *
 * Outcomes are not errors: put_if_absent and replace answer STORE_EXISTS, read answers
 * STORE_NOT_FOUND and a lost reply answers STORE_UNKNOWN as results the caller
 * must branch on.  STORE_FAILED comes with the error filled in.
 */
#ifndef VARVE_STORE_H
#define VARVE_STORE_H

#include "base/base.h"

enum store_result {
    STORE_OK,
    STORE_EXISTS,    /* put_if_absent, replace: somebody else's object is there, unchanged */
    STORE_NOT_FOUND, /* read, stat, replace: no such object */
    STORE_UNKNOWN,   /* the call may or may not have taken effect; read back to learn which */
    STORE_FAILED     /* did not take effect; error is set */
};

struct store_entry {
    struct str key; /* whole key, borrowed until the callback returns */
    int64_t size_bytes;
    int64_t modified_us; /* UTC */
};

/* Return false to stop the listing early (still STORE_OK). */
typedef bool (*store_list_fn)(void *user, const struct store_entry *entry);

struct store;
struct store_vtable {
    const char *name; /* "local", "memory", "fault" */
    /* Whole object, or the range [offset, offset+len) when len >= 0.  A range past the end
     * gives the bytes there are.  Appends to out. */
    enum store_result (*read)(struct store *, struct ctx *, struct str key, int64_t offset, int64_t len, struct buf *out, struct error *);
    /* Every object whose key begins with prefix and is strictly greater than `after`
     * (empty = from the start), in byte order of keys.  Recursive: '/' is just a byte.
     * A prefix that holds nothing is STORE_OK with no callbacks. */
    enum store_result (*list)(struct store *, struct ctx *, struct str prefix, struct str after, store_list_fn fn, void *user, struct error *);
    /* Replace or create.  Readers see the old bytes or the new, never a mixture. */
    enum store_result (*put)(struct store *, struct ctx *, struct str key, const void *bytes, size_t len, struct error *);
    /* Create, or STORE_EXISTS.  Of any number of racing callers exactly one gets STORE_OK. */
    enum store_result (*put_if_absent)(struct store *, struct ctx *, struct str key, const void *bytes, size_t len, struct error *);
    /* Puts new in the place of an object that holds just the bytes of old, or removes it when new has no ptr; STORE_EXISTS when it holds others.
     * Of any number of racing callers of replace exactly one gets STORE_OK for one old.  put and remove do not wait for it: an object is changed by
     * these or by replace, not by both. */
    enum store_result (*replace)(struct store *, struct ctx *, struct str key, struct str old, struct str new, struct error *);
    /* Idempotent.  Not flushed: after a power cut the object may be back. */
    enum store_result (*remove)(struct store *, struct ctx *, struct str key, struct error *);
    enum store_result (*stat)(struct store *, struct ctx *, struct str key, struct store_entry *out, struct error *); /* out->key = key */
    /* Make objects that another writer (the engine) put under these keys durable. */
    enum store_result (*sync)(struct store *, struct ctx *, const struct str *keys, size_t key_count, struct error *);
    /* The name by which the engine opens the object: a file path or URL, into out. */
    void (*locate)(struct store *, struct str key, struct buf *out);
    /* Make sure that the engine can create objects under key + "/" (mkdir -p; nothing on object stores). */
    enum store_result (*prepare)(struct store *, struct ctx *, struct str key, struct error *);
    void (*free)(struct store *);
};
struct store {
    const struct store_vtable *v;
    struct str root; /* for messages: "/lake/bronze/bars" */
    atomic_int refs;
};

struct store *store_ref(struct store *s);
void store_unref(struct store *s); /* accepts NULL */

/* Opens a directory.  It need not exist yet: the first put makes it (unless must_exist).
 * durable: every put is on disk (file and directory fsynced) before STORE_OK; false leaves out the
 * fsyncs and nothing else.  STORE_UNKNOWN: the object has its name, but flushing the directory failed.
 * Objects appear whole also after a crash, except that on a file system without hard links
 * put_if_absent has to create the final name and write it there (one winner still).
 * The list follows symbolic links, and leaves out whatever is no regular file. */
struct store_local_options {
    bool durable;
    bool must_exist;
};
enum status store_open_local(struct ctx *ctx, struct str path, struct store_local_options options, struct store **out, struct error *err);
enum status store_open_memory(struct store **out, struct error *err);
/* A store whose keys are those of `base` below prefix + "/".  Holds a reference to base. */
enum status store_open_prefix(struct store *base, struct str prefix, struct store **out, struct error *err);

/* A store that wraps another and misbehaves on purpose.  Calls are counted from 1 over all methods but locate. */
enum store_fault_kind {
    STORE_FAULT_NONE,
    STORE_FAULT_FAIL,      /* no effect, STORE_FAILED (STORE_IO) */
    STORE_FAULT_FULL,      /* no effect, STORE_FAILED (STORE_FULL) */
    STORE_FAULT_DELAY,     /* sleep delay_us, then as normal */
    STORE_FAULT_TRUNCATE,  /* put: half of the bytes land and then STORE_FAILED; read: half of the bytes come back as if whole */
    STORE_FAULT_LOST_REPLY /* takes effect, answers STORE_UNKNOWN; read, list and stat, which have no effect, fail */
};
struct store_fault {
    enum store_fault_kind kind;
    uint64_t at_call; /* the call that is hit */
    bool onwards;     /* and every later one */
    int64_t delay_us;
};
enum status store_open_fault(struct store *base, struct store **out, struct error *err);
void store_fault_set(struct store *fault, struct store_fault plan); /* resets the counter */
uint64_t store_fault_calls(struct store *fault);

/* Thin calls through the vtable. */
enum store_result store_read(struct store *, struct ctx *, struct str key, struct buf *out, struct error *);
enum store_result store_read_range(struct store *, struct ctx *, struct str key, int64_t offset, int64_t len, struct buf *out, struct error *);
enum store_result store_list(struct store *, struct ctx *, struct str prefix, struct str after, store_list_fn fn, void *user, struct error *);
enum store_result store_put(struct store *, struct ctx *, struct str key, const void *bytes, size_t len, struct error *);
enum store_result store_put_if_absent(struct store *, struct ctx *, struct str key, const void *bytes, size_t len, struct error *);
enum store_result store_replace(struct store *, struct ctx *, struct str key, struct str old, struct str new, struct error *);
enum store_result store_remove(struct store *, struct ctx *, struct str key, struct error *);
enum store_result store_stat(struct store *, struct ctx *, struct str key, struct store_entry *out, struct error *);
enum store_result store_sync(struct store *, struct ctx *, const struct str *keys, size_t key_count, struct error *);
enum store_result store_prepare(struct store *, struct ctx *, struct str key, struct error *);
void store_locate(struct store *, struct str key, struct buf *out);

/* A copy of an object in another store, or the same: STORE_EXISTS when the key is taken, STORE_NOT_FOUND when there is nothing to copy.  Between
 * stores of files the copy is not whole before the call returns, so its key must be one that nobody knows yet; it is durable then where the store
 * is. */
enum store_result store_copy(struct store *from, struct ctx *, struct str from_key, struct store *to, struct str to_key, struct error *);

#endif
