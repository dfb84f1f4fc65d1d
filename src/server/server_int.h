/* server/server_int.h: what the files of the server share. */
#ifndef VARVE_SERVER_INT_H
#define VARVE_SERVER_INT_H

#include "varve/varve.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define BODY_MAX_BYTES (1u << 20)

struct latency_histogram {
    atomic_ullong buckets[12];
    atomic_ullong count, sum_us;
};
extern const double latency_bounds_s[11];

#define ALLOWED_HOSTS_MAX 16

/* Whom the server answers (site.c). */
struct site_rules {
    const char *listen; /* address */
    bool loopback_only; /* it is one that only this machine reaches */
    const char *allowed[ALLOWED_HOSTS_MAX];
    size_t allowed_count;
};

struct server {
    varve_db *db;
    struct site_rules site;
    struct MHD_Daemon *daemon;
    int64_t deadline_us;
    int64_t started_us; /* monotonic */
    atomic_bool stopping;
    atomic_int in_flight;
    atomic_ullong requests[6]; /* by status class: [2] = 2xx */
    struct latency_histogram latency;
};

/* One request, from its first byte to its last. */
struct request {
    struct server *server;
    struct MHD_Connection *connection;
    const char *method, *path;
    const char *argument; /* of a route that ends in '/', percent-decoded */
    char id[40];
    char *body;
    size_t body_len;
    bool body_too_large;
    int64_t start_us;
    int status;
};

typedef enum MHD_Result (*route_fn)(struct request *r);
enum MHD_Result handle_query(struct request *r);
enum MHD_Result handle_search(struct request *r);
enum MHD_Result handle_tables(struct request *r);
enum MHD_Result handle_table(struct request *r);
enum MHD_Result handle_stats(struct request *r);
enum MHD_Result handle_health(struct request *r);
enum MHD_Result handle_healthz(struct request *r);
enum MHD_Result handle_readyz(struct request *r);
enum MHD_Result handle_metrics(struct request *r);
enum MHD_Result handle_page(struct request *r); /* web.c: files of the page, and index.html for its own routes */
enum MHD_Result route_request(struct request *r);

/* ---- what is refused before it is looked at (framing.c, site.c) --------------------------------- */

/* Why the request's headers cannot be trusted to say where it ends and whom it is for; NULL when they can.  version is that of the
 * request line. */
const char *framing_fault(struct request *r, const char *version);
/* Answers 403, *sent, to a name that is not the server's and to a change or statement from a page of another site; false: go on. */
bool refuse_site(struct request *r, enum MHD_Result *sent);

/* ---- content negotiation (accept.c) ----------------------------------------------------------- */

/* The format that the Accept headers weigh highest; JSON without such a header, NULL when they allow none that is offered. */
const char *accepted_format(struct request *r);
extern const char offered_media_types[]; /* for messages */

/* ---- replies (reply.c) ---------------------------------------------------------------------- */

int64_t now_us(void); /* monotonic */
/* Query argument, NULL when absent. */
const char *argument(struct request *r, const char *name);
/* Integer argument, or fallback when absent; false (and *problem set) when it is not a number. */
bool argument_i64(struct request *r, const char *name, int64_t fallback, int64_t *out, varve_error *problem);
/* Sends and counts; takes response. */
enum MHD_Result send_response(struct request *r, int status, struct MHD_Response *response);
/* Takes text (made by varve_* or malloc; `release` frees it). */
enum MHD_Result send_text(struct request *r, int status, const char *media_type, char *text, size_t len, void (*release)(void *));
/* problem+json for error, which is freed. */
enum MHD_Result send_problem(struct request *r, varve_error *error);
enum MHD_Result send_new_problem(struct request *r, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int error_code(const char *name); /* code of "NOT_FOUND"… */
void set_problem(varve_error *error, const char *code_name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void set_hint(varve_error *error, const char *hint);
/* A session for this request: its identity, trace id and deadline (server default, or ?timeout_ms=). */
bool open_session(struct request *r, varve_session **session, varve_error *error);

/* A growing text for small replies. */
struct reply_text {
    char *ptr;
    size_t len, cap;
    bool failed;
};
void reply_add(struct reply_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_bytes(struct reply_text *t, const void *bytes, size_t len);

/* ---- counters (metrics.c) -------------------------------------------------------------------- */

void observe_latency(struct latency_histogram *h, int64_t us);

#endif
