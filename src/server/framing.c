/* server/framing.c: requests whose end or address can be read in two ways.  Whoever stands in front of the server may read them the
 * other way, so they are refused and the connection is closed (RFC 9112 §3.2, §6.3). */
#include "server_int.h"

#include <string.h>
#include <strings.h>

struct framing {
    const char *length; /* the first Content-Length */
    bool lengths_differ, chunked;
    int hosts;
};

static enum MHD_Result take_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *f = user;
    (void)kind;
    if (!strcasecmp(name, "Host"))
        f->hosts++;
    if (!strcasecmp(name, "Transfer-Encoding"))
        f->chunked = true;
    if (strcasecmp(name, "Content-Length") != 0)
        return MHD_YES;
    f->lengths_differ = f->lengths_differ || (f->length && strcmp(f->length, value ? value : "") != 0);
    if (!f->length)
        f->length = value ? value : "";
    return MHD_YES;
}

const char *framing_fault(struct request *r, const char *version)
{
    struct framing f = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, take_header, &f);
    if (f.lengths_differ)
        return "the request has two Content-Length headers that differ";
    if (f.length && f.chunked)
        return "the request has both Content-Length and Transfer-Encoding";
    if (f.hosts > 1)
        return "the request has more than one Host header";
    if (!f.hosts && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)
        return "the request has no Host header";
    return NULL;
}
