/* server/server.c: the daemon: options, connections, graceful stop. */
#include "server/server.h"

#include "server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define HEADER_MAX_BYTES (64u << 10)
#define IDLE_TIMEOUT_S 30
#define STOP_GRACE_MS 10000

const char server_help[] = "usage: varve [--lake DIR] serve [options]\n"
                           "\n"
                           "Serves the lake over HTTP: a web page, SQL, search and metrics.\n"
                           "\n"
                           "  --port N             port to listen on (default 3005; 0 takes a free one)\n"
                           "  --host ADDRESS       address to listen on (default 127.0.0.1: this machine only)\n"
                           "  --allow-host NAME    also answer requests for this host, and from its pages, when another\n"
                           "                       name leads here (may be given several times)\n"
                           "  --config FILE        search configuration (JSON): which tables and columns are searched\n"
                           "  --deadline SECONDS   longest time a statement may run (default 60, 0 = no limit)\n"
                           "  --memory-limit BYTES memory for the engine (default: 80 % of the machine)\n"
                           "  --threads N          threads of the engine (default: all)\n"
                           "  --cache-bytes BYTES  size of the result cache (default 64 MiB, -1 = none)\n"
                           "  --readonly           refuse statements that change something\n"
                           "  --no-durable         do not fsync commits\n"
                           "  --log LEVEL          debug, info, warn or error (default warn), to standard error\n"
                           "\n"
                           "Ctrl-C or SIGTERM finishes running requests and stops.\n";

struct serve_options {
    const char *config;
    struct site_rules site;
    long port;
    int64_t deadline_us;
    varve_options open;
    char *config_text;
};

/* ---- requests ---------------------------------------------------------------------------------- */

static void make_request_id(char out[40])
{
    unsigned char raw[8] = {0};
    if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
        memset(raw, 0, sizeof(raw));
    for (size_t i = 0; i < sizeof(raw); i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static struct request *request_new(struct server *s, struct MHD_Connection *connection, const char *path, const char *method)
{
    struct request *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    *r = (struct request){.server = s, .connection = connection, .path = path, .method = method, .start_us = now_us()};
    make_request_id(r->id);
    atomic_fetch_add(&s->in_flight, 1);
    return r;
}

/* Keeps reading past the ceiling, so that the refusal reaches the client, but keeps no more. */
static void take_body(struct request *r, const char *bytes, size_t len)
{
    if (r->body_too_large || r->body_len + len > BODY_MAX_BYTES) {
        r->body_too_large = true;
        return;
    }
    char *grown = realloc(r->body, r->body_len + len + 1);
    if (!grown) {
        r->body_too_large = true;
        return;
    }
    r->body = grown;
    memcpy(r->body + r->body_len, bytes, len);
    r->body_len += len;
    r->body[r->body_len] = '\0';
}

/* Its body is not waited for: nobody knows how long it is.  libmicrohttpd closes a connection that is answered this early. */
static enum MHD_Result refuse_framing(struct request *r, const char *fault)
{
    return send_new_problem(r, error_code("INVALID_ARGUMENT"), "%s", fault);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct server *s = user;
    struct request *r = *state;
    if (!r) {
        *state = r = request_new(s, connection, url, method);
        const char *fault = r ? framing_fault(r, version) : NULL;
        return !r ? MHD_NO : fault ? refuse_framing(r, fault) : MHD_YES;
    }
    if (*upload_size) {
        take_body(r, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    r->path = url;
    r->method = method;
    enum MHD_Result sent;
    if (refuse_site(r, &sent))
        return sent;
    if (r->body_too_large)
        return send_new_problem(r, error_code("LIMIT_EXCEEDED"), "the request body is larger than %u bytes", BODY_MAX_BYTES);
    if (atomic_load(&s->stopping))
        return send_new_problem(r, error_code("UNAVAILABLE"), "the server is stopping");
    if (!r->body)
        take_body(r, "", 0);
    return route_request(r);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    struct server *s = user;
    struct request *r = *state;
    (void)connection, (void)why;
    if (!r)
        return;
    if (r->status >= 200 && r->status < 600)
        atomic_fetch_add(&s->requests[r->status / 100], 1);
    observe_latency(&s->latency, now_us() - r->start_us);
    atomic_fetch_sub(&s->in_flight, 1);
    free(r->body);
    free(r);
    *state = NULL;
}

/* ---- listening ---------------------------------------------------------------------------------------- */

static int listen_on(const char *host, long port)
{
    char service[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST}, *found = NULL;
    snprintf(service, sizeof(service), "%ld", port);
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        fprintf(stderr, "error: \"%s\" is not an address to listen on: %s\n", host, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    bool ok =
        fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) && !bind(fd, found->ai_addr, found->ai_addrlen) && !listen(fd, 511);
    if (!ok) {
        fprintf(stderr, "error: cannot listen on %s port %ld: %s\n", host, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address address_of(int fd)
{
    union address address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len))
        return (union address){0};
    return address;
}

static int port_of(int fd)
{
    union address address = address_of(fd);
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static bool is_loopback_only(int fd)
{
    union address address = address_of(fd);
    if (address.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
    return address.any.sa_family == AF_INET && ntohl(address.v4.sin_addr.s_addr) >> 24 == 127;
}

/* Waits for SIGINT or SIGTERM, which the caller has blocked in every thread. */
static void wait_for_stop(const sigset_t *signals)
{
    int which = 0;
    while (sigwait(signals, &which) || (which != SIGINT && which != SIGTERM))
        ;
}

static void drain(struct server *s)
{
    atomic_store(&s->stopping, true);
    for (int waited_ms = 0; atomic_load(&s->in_flight) > 0 && waited_ms < STOP_GRACE_MS; waited_ms += 20)
        usleep(20000);
}

static int run_daemon(struct server *s, const struct serve_options *o, const sigset_t *signals)
{
    int fd = listen_on(o->site.listen, o->port);
    if (fd < 0)
        return 2;
    s->site = o->site;
    s->site.loopback_only = is_loopback_only(fd);
    s->daemon =
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL, NULL, on_request, s,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MAX_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                         MHD_OPTION_THREAD_STACK_SIZE, (size_t)(1u << 20), MHD_OPTION_END);
    if (!s->daemon) {
        fprintf(stderr, "error: the HTTP server could not be started: %s\n", strerror(errno));
        close(fd);
        return 2;
    }
    printf("varve serves http://%s:%d\n", strchr(o->site.listen, ':') ? "[::1]" : o->site.listen, port_of(fd));
    fflush(stdout);
    wait_for_stop(signals);
    fprintf(stderr, "stopping\n");
    drain(s);
    MHD_stop_daemon(s->daemon);
    return 0;
}

/* ---- options --------------------------------------------------------------------------------------------- */

static bool read_config(struct serve_options *o)
{
    FILE *f = fopen(o->config, "rb");
    struct reply_text t = {0};
    char chunk[4096];
    size_t n;
    if (!f) {
        fprintf(stderr, "error: cannot read the configuration \"%s\": %s\n", o->config, strerror(errno));
        return false;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && t.len < BODY_MAX_BYTES)
        reply_bytes(&t, chunk, n);
    fclose(f);
    o->config_text = t.ptr;
    o->open.search_config = t.ptr;
    return !t.failed && t.ptr;
}

static bool number(const char *name, const char *text, long long low, long long high, long long *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (!errno && *text && !*end && *out >= low && *out <= high)
        return true;
    fprintf(stderr, "error: --%s must be a number from %lld to %lld, not \"%s\"\n", name, low, high, text);
    return false;
}

/* 0 go on, 1 stop with success (help), -1 bad usage. */
static int parse_options(int argc, char **argv, struct serve_options *o)
{
    static const struct option known[] = {{"port", 1, 0, 'p'},
                                          {"host", 1, 0, 'h'},
                                          {"allow-host", 1, 0, 'a'},
                                          {"config", 1, 0, 'c'},
                                          {"deadline", 1, 0, 'd'},
                                          {"memory-limit", 1, 0, 'm'},
                                          {"threads", 1, 0, 't'},
                                          {"cache-bytes", 1, 0, 'b'},
                                          {"readonly", 0, 0, 'r'},
                                          {"no-durable", 0, 0, 'n'},
                                          {"log", 1, 0, 'l'},
                                          {"help", 0, 0, '?'},
                                          {0}};
    long long v = 0;
    int option, index = 0;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
        const char *name = known[index].name;
        switch (option) {
        case 'p':
            if (!number(name, optarg, 0, 65535, &v))
                return -1;
            o->port = (long)v;
            break;
        case 'h':
            o->site.listen = optarg;
            break;
        case 'a':
            if (o->site.allowed_count == ALLOWED_HOSTS_MAX) {
                fprintf(stderr, "error: --allow-host may be given at most %d times\n", ALLOWED_HOSTS_MAX);
                return -1;
            }
            o->site.allowed[o->site.allowed_count++] = optarg;
            break;
        case 'c':
            o->config = optarg;
            break;
        case 'd':
            if (!number(name, optarg, 0, 86400, &v))
                return -1;
            o->deadline_us = v * 1000000;
            break;
        case 'm':
            if (!number(name, optarg, 1 << 20, INT64_MAX, &v))
                return -1;
            o->open.memory_limit_bytes = v;
            break;
        case 't':
            if (!number(name, optarg, 1, 1024, &v))
                return -1;
            o->open.threads = (int)v;
            break;
        case 'b':
            if (!number(name, optarg, -1, INT64_MAX, &v))
                return -1;
            o->open.cache_bytes = v;
            break;
        case 'r':
            o->open.read_only = true;
            break;
        case 'n':
            o->open.not_durable = true;
            break;
        case 'l':
            o->open.log_level = optarg;
            break;
        default:
            if (optopt == 0 && !strcmp(argv[optind - 1], "--help"))
                return 1;
            fprintf(stderr, "error: option \"%s\" of serve is not known or lacks its value\n", argv[optind - 1]);
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "error: serve takes no argument \"%s\"\n", argv[optind]);
        return -1;
    }
    return 0;
}

/* ---- entry ---------------------------------------------------------------------------------------------------- */

static int serve(const char *lake, struct serve_options *o, const sigset_t *signals)
{
    static struct server server; /* request threads may outlive this call's frame only until MHD_stop_daemon */
    varve_error error = {.position = -1};
    if (varve_open(lake, &o->open, &server.db, &error) != VARVE_OK) {
        fprintf(stderr, "error: %s\n", error.message);
        if (error.hint)
            fprintf(stderr, "hint: %s\n", error.hint);
        varve_error_free(&error);
        return 1;
    }
    server.deadline_us = o->deadline_us;
    server.started_us = now_us();
    int code = run_daemon(&server, o, signals);
    varve_close(&server.db);
    return code;
}

int server_main(int argc, char **argv, const char *lake)
{
    struct serve_options o = {.site = {.listen = "127.0.0.1"},
                              .port = 3005,
                              .deadline_us = 60000000,
                              .open = {.struct_size = sizeof(o.open), .must_exist = true, .log_fd = STDERR_FILENO, .log_level = "warn"}};
    sigset_t signals;
    int parsed = parse_options(argc, argv, &o);
    if (parsed > 0) {
        fputs(server_help, stdout);
        return 0;
    }
    if (parsed < 0 || (o.config && !read_config(&o)))
        return 1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int code = serve(lake, &o, &signals);
    free(o.config_text);
    return code;
}
