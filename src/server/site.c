/* server/site.c: requests that a page of another site makes its visitor's browser send.
 *
 * The server knows no users: whoever reaches it may do everything.  A browser reaches it on behalf of any page it shows, in two ways.
 * The page may post to the server's address; the browser then says in Origin whose page it is.  Or the page's own name may come
 * to resolve to this machine (DNS rebinding); the browser then takes the server for the page's own, but says that name in Host.
 */
#include "server_int.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

struct piece {
    const char *ptr;
    size_t len;
};

static bool piece_is(struct piece p, const char *text) { return strlen(text) == p.len && !strncasecmp(p.ptr, text, p.len); }

/* "name:port", "[address]:port" -> the name or the bare address; *port has no colon and may be empty. */
static struct piece split_port(struct piece authority, struct piece *port)
{
    const char *end = authority.ptr + authority.len, *close = memchr(authority.ptr, ']', authority.len);
    bool bracketed = authority.len && *authority.ptr == '[' && close;
    const char *from = bracketed ? close + 1 : authority.ptr;
    const char *colon = memchr(from, ':', (size_t)(end - from)), *stop = colon ? colon : end;
    *port = colon ? (struct piece){colon + 1, (size_t)(end - colon - 1)} : (struct piece){end, 0};
    if (bracketed && stop == close + 1)
        return (struct piece){authority.ptr + 1, (size_t)(close - authority.ptr - 1)};
    return (struct piece){authority.ptr, (size_t)(stop - authority.ptr)};
}

static bool is_loopback(struct piece host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (piece_is(host, "localhost"))
        return true;
    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_allowed(const struct site_rules *rules, struct piece host)
{
    for (size_t i = 0; i < rules->allowed_count; i++)
        if (piece_is(host, rules->allowed[i]))
            return true;
    return false;
}

static bool host_is_ours(const struct site_rules *rules, const char *header)
{
    struct piece port, host = split_port((struct piece){header, strlen(header)}, &port);
    return !rules->loopback_only || is_loopback(host) || piece_is(host, rules->listen) || is_allowed(rules, host);
}

/* The port that is left out of an address. */
static struct piece explicit_port(struct piece port, bool tls)
{
    const char *usual = tls ? "443" : "80";
    return port.len ? port : (struct piece){usual, strlen(usual)};
}

static bool same(struct piece a, struct piece b) { return a.len == b.len && !strncasecmp(a.ptr, b.ptr, a.len); }

/* "null", which a page without an address of its own sends, is never the server's. */
static bool origin_is_ours(const struct site_rules *rules, const char *origin, const char *host_header)
{
    const char *mark = strstr(origin, "://");
    if (!mark)
        return false;
    bool tls = mark - origin == 5 && !strncasecmp(origin, "https", 5);
    struct piece origin_port, port;
    struct piece page = split_port((struct piece){mark + 3, strlen(mark + 3)}, &origin_port);
    struct piece host = split_port((struct piece){host_header, strlen(host_header)}, &port);
    return (same(page, host) && same(explicit_port(origin_port, tls), explicit_port(port, tls))) || is_allowed(rules, page);
}

static bool only_reads(const char *method) { return !strcmp(method, "GET") || !strcmp(method, "HEAD"); }

static enum MHD_Result refuse(struct request *r, const char *header, const char *value, const char *why)
{
    static const char advice[] = "use the address that the server printed when it started, or name the host with --allow-host";
    varve_error error = {.position = -1};
    set_problem(&error, "PERMISSION_DENIED", "%s \"%.200s\" %s", header, value, why);
    set_hint(&error, advice);
    return send_problem(r, &error);
}

bool refuse_site(struct request *r, enum MHD_Result *sent)
{
    const struct site_rules *rules = &r->server->site;
    const char *host = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Host");
    const char *origin = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Origin");
    if (host && !host_is_ours(rules, host)) {
        *sent = refuse(r, "Host", host, "is not a name of this server");
        return true;
    }
    if (origin && !only_reads(r->method) && !origin_is_ours(rules, origin, host ? host : "")) {
        *sent = refuse(r, "Origin", origin, "is another site, whose pages may not use this server");
        return true;
    }
    return false;
}
