/* delta/absolute.c: names of a table's files that another table's log can hold (protocol: "Add File and Remove File": paths may be absolute). */
#include "delta/delta_int.h"

bool delta_path_is_absolute(struct str path) { return path.len && (path.ptr[0] == '/' || memmem(path.ptr, path.len, ":/", 2)); }

/* "file:" and the place of the key, URI-encoded. */
static enum status locate(struct arena *arena, struct store *store, struct str key, struct str *out, struct error *err)
{
    struct buf place = BUF_INIT, uri = BUF_INIT;
    store_locate(store, key, &place);
    if (place.len && place.ptr[0] == '/')
        buf_z(&uri, "file:");
    uri_encode_path(&uri, buf_view(&place));
    enum status status = place.failed ? error_oom(err) : buf_check(&uri, err);
    if (!status && !(*out = arena_str(arena, buf_view(&uri))).ptr)
        status = error_oom(err);
    buf_release(&place);
    buf_release(&uri);
    return status;
}

enum status delta_absolute_path(struct arena *arena, struct store *store, struct str path, struct str *out, struct error *err)
{
    struct buf key = BUF_INIT;
    enum status status = STATUS_OK;
    *out = path;
    if (delta_path_is_absolute(path))
        return STATUS_OK;
    if (!uri_decode(&key, path) && !key.failed)
        status = error_set(err, STATUS_CORRUPT_LOG, "the path \"%.*s\" of a data file is not URI-encoded", STR_ARG(path));
    else if (!(status = buf_check(&key, err)))
        status = locate(arena, store, buf_view(&key), out, err);
    buf_release(&key);
    return status;
}

enum status delta_dv_absolute(struct arena *arena, struct store *store, const struct delta_dv *dv, struct delta_dv *out, struct error *err)
{
    struct buf key = BUF_INIT;
    enum status status = STATUS_OK;
    *out = *dv;
    if (!str_eq(dv->storage, STR("u")))
        return STATUS_OK;
    if (!delta_dv_relative_key(dv->path, &key) && !key.failed)
        status =
            error_set(err, STATUS_CORRUPT_LOG, "a deletion vector has the name \"%.*s\", which does not end in a UUID in Z85", STR_ARG(dv->path));
    else if (!(status = buf_check(&key, err)))
        status = locate(arena, store, buf_view(&key), &out->path, err);
    buf_release(&key);
    out->storage = STR("p");
    return status;
}
