/* server/route.c: from method and path to a handler. */
#include "server_int.h"

#include <string.h>

static const struct {
    const char *method, *path;
    route_fn handler;
} routes[] = {
#define ROUTE(ID, METHOD, PATH, HANDLER, WHAT) {METHOD, PATH, HANDLER},
#include "routes.def"
#undef ROUTE
};

static bool path_matches(const char *route, const char *path)
{
    size_t len = strlen(route);
    return route[len - 1] == '/' && len > 1 ? !strncmp(route, path, len) && path[len] : !strcmp(route, path);
}

static bool method_matches(const char *route, const char *method)
{
    return !strcmp(route, method) || (!strcmp(route, "GET") && !strcmp(method, "HEAD"));
}

static enum MHD_Result refuse_method(struct request *r, const char *allowed)
{
    varve_error error = {.position = -1};
    set_problem(&error, "METHOD_NOT_ALLOWED", "\"%.200s\" takes %s, not %.20s", r->path, allowed, r->method);
    char *json = varve_error_json(&error, r->id);
    varve_error_free(&error);
    if (!json)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(strlen(json), json, varve_free);
    if (!response) {
        varve_free(json);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/problem+json");
    MHD_add_response_header(response, "Allow", allowed);
    return send_response(r, 405, response);
}

enum MHD_Result route_request(struct request *r)
{
    const char *allowed = NULL;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!path_matches(routes[i].path, r->path))
            continue;
        allowed = routes[i].method;
        if (method_matches(routes[i].method, r->method)) {
            r->argument = r->path + strlen(routes[i].path);
            return routes[i].handler(r);
        }
    }
    if (allowed)
        return refuse_method(r, allowed);
    return method_matches("GET", r->method) ? handle_page(r) : refuse_method(r, "GET");
}
