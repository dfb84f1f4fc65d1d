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
    if (!delta_dv_file_key(dv->path, &key) && !key.failed)
        status =
            error_set(err, STATUS_CORRUPT_LOG, "a deletion vector has the name \"%.*s\", which does not end in a UUID in Z85", STR_ARG(dv->path));
    else if (!(status = buf_check(&key, err)))
        status = locate(arena, store, buf_view(&key), &out->path, err);
    buf_release(&key);
    out->storage = STR("p");
    return status;
}

/* ---- back from absolute paths ------------------------------------------------------------------- */

/* "file:/a", "file:///a" and "/a" -> "/a"; NULL ptr for a relative path or another scheme. */
static struct str absolute_part(struct str path)
{
    if (str_starts(path, STR("file:"))) {
        path = str_sub(path, 5, path.len - 5);
        if (str_starts(path, STR("//")))
            path = str_sub(path, 2, path.len - 2);
    }
    return path.len && path.ptr[0] == '/' ? path : STR_NULL;
}

/* What stands behind the table's own place in an absolute path. */
static bool below_root(struct store *store, struct str path, struct buf *out)
{
    struct buf root = BUF_INIT, decoded = BUF_INIT;
    bool below = false;
    store_locate(store, STR(""), &root);
    if (!root.failed && root.len && root.ptr[root.len - 1] != '/')
        buf_char(&root, '/');
    if (uri_decode(&decoded, path) && !decoded.failed && str_starts(buf_view(&decoded), buf_view(&root))) {
        below = true;
        buf_str(out, str_sub(buf_view(&decoded), root.len, decoded.len - root.len));
    }
    out->failed |= root.failed || decoded.failed;
    buf_release(&root);
    buf_release(&decoded);
    return below;
}

bool delta_file_key(struct store *store, struct str path, struct buf *out)
{
    struct str absolute = absolute_part(path);
    if (absolute.ptr)
        return below_root(store, absolute, out);
    return !delta_path_is_absolute(path) && uri_decode(out, path);
}
