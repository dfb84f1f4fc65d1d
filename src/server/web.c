/* server/web.c: the embedded page.  Hashed files are immutable; index.html carries a nonce for the one script library that makes a style element. */
#include "server_int.h"

#include "assets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_MARK "__CSP_NONCE__"

static const struct web_asset *find_asset(const char *path)
{
    for (size_t i = 0; i < web_asset_count; i++)
        if (!strcmp(web_assets[i].path, path))
            return &web_assets[i];
    return NULL;
}

static bool client_takes_gzip(struct request *r)
{
    const char *accept = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Accept-Encoding");
    return accept && strstr(accept, "gzip");
}

static bool client_has(struct request *r, const struct web_asset *a)
{
    const char *tag = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "If-None-Match");
    return tag && strstr(tag, a->etag);
}

static enum MHD_Result send_asset(struct request *r, const struct web_asset *a)
{
    bool gzip = a->gzip && client_takes_gzip(r);
    bool same = client_has(r, a);
    size_t len = same ? 0 : gzip ? a->gzip_len : a->len;
    const void *bytes = gzip ? a->gzip : a->bytes;
    struct MHD_Response *response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", a->media_type);
    MHD_add_response_header(response, "ETag", a->etag);
    MHD_add_response_header(response, "Vary", "Accept-Encoding");
    MHD_add_response_header(response, "Cache-Control", a->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (gzip && !same)
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    return send_response(r, same ? 304 : 200, response);
}

static bool make_nonce(char out[33])
{
    unsigned char raw[16];
    if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
        return false;
    for (size_t i = 0; i < sizeof(raw); i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return true;
}

static enum MHD_Result send_index(struct request *r, const struct web_asset *a)
{
    char nonce[33], policy[400];
    struct reply_text page = {0};
    if (!make_nonce(nonce))
        return send_new_problem(r, error_code("UNAVAILABLE"), "no random bytes could be had");
    const char *at = (const char *)a->bytes, *end = at + a->len, *mark;
    while ((mark = memmem(at, (size_t)(end - at), NONCE_MARK, sizeof(NONCE_MARK) - 1))) {
        reply_bytes(&page, at, (size_t)(mark - at));
        reply_bytes(&page, nonce, 32);
        at = mark + sizeof(NONCE_MARK) - 1;
    }
    reply_bytes(&page, at, (size_t)(end - at));
    if (page.failed) {
        free(page.ptr);
        return send_new_problem(r, error_code("OUT_OF_MEMORY"), "memory ran out");
    }
    snprintf(policy, sizeof(policy),
             "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
             "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
             nonce);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(page.len, page.ptr, free);
    if (!response) {
        free(page.ptr);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "text/html; charset=utf-8");
    MHD_add_response_header(response, "Content-Security-Policy", policy);
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    return send_response(r, 200, response);
}

/* The page's own routes all load index.html; their state is in the URL. */
static bool is_page_route(const char *path)
{
    return !strcmp(path, "/") || !strcmp(path, "/sql") || !strcmp(path, "/tables") || !strncmp(path, "/tables/", 8);
}

enum MHD_Result handle_page(struct request *r)
{
    const struct web_asset *a = is_page_route(r->path) ? find_asset("/") : find_asset(r->path);
    if (!a)
        return send_new_problem(r, error_code("NOT_FOUND"), "there is nothing at \"%.200s\"", r->path);
    return is_page_route(r->path) ? send_index(r, a) : send_asset(r, a);
}
