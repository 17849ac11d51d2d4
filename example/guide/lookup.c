/* SPDX-License-Identifier: MIT */
/* Code that blocks, called in the three right ways.
 *
 *     GET /resolve/:name   one blocking call inside a handler: weir_blocking()
 *     GET /report          a handler that blocks all over: its route is .blocking
 *     GET /locale          a library that keeps state per thread: its route is .pinned
 *
 * Guide: doc/guide/blocking.md. */
#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <locale.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

/* -- one call ---------------------------------------------------------------------------------- */

/* What goes to the other thread and comes back; lives in the handler's frame, which stays. */
struct lookup {
    const char *name;
    int error;
    char address[INET_ADDRSTRLEN];
};

/* Runs on a thread of the pool: getaddrinfo() may block for seconds. */
static void resolve(void *arg)
{
    struct lookup *lookup = arg;
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    lookup->error = getaddrinfo(lookup->name, NULL, &hints, &found);
    if (lookup->error != 0)
        return;
    struct sockaddr_in first;
    memcpy(&first, found->ai_addr, sizeof first);
    if (inet_ntop(AF_INET, &first.sin_addr, lookup->address, sizeof lookup->address) == NULL)
        lookup->error = EAI_OVERFLOW;
    freeaddrinfo(found);
}

static int resolve_name(weir_request *q, weir_reply *r, void *user)
{
    (void)user;
    struct lookup lookup = { .name = weir_request_param(q, "name") };
    /* Only waiting for a thread has a deadline: once begun, resolve() is not interrupted. */
    const int rc = weir_blocking(NULL, resolve, &lookup, weir_in_ms(1000));
    if (rc < 0)
        return weir_reply_text(r, 503, "no thread was free: %s\n", weir_err_text(rc));
    if (lookup.error != 0)
        return weir_reply_text(r, 404, "%s: %s\n", lookup.name, gai_strerror(lookup.error));
    return weir_reply_text(r, 200, "%s\n", lookup.address);
}

/* -- a handler that blocks everywhere ---------------------------------------------------------- */

/* Stands for a driver of a database: it blocks its thread and knows nothing of weir. */
static int old_library_query(void)
{
    const struct timespec pause = { .tv_nsec = 20000000 };
    (void)nanosleep(&pause, NULL);
    return 7;
}

static int report(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    (void)user;
    int sum = 0;
    for (int i = 0; i < 3; i++)
        sum += old_library_query();
    return weir_reply_text(r, 200, "sum %d\n", sum);
}

/* -- a library with state per thread ----------------------------------------------------------- */

static int point_of_locale(weir_request *q, weir_reply *r, void *user)
{
    (void)q;
    const locale_t before = uselocale((locale_t)user); /* belongs to this thread from here on */
    const int rc = weir_sleep(weir_in_ms(5));          /* .pinned: still this thread afterwards */
    const int answered =
        rc < 0 ? rc : weir_reply_text(r, 200, "point is %s\n", localeconv()->decimal_point);
    (void)uselocale(before);
    return answered;
}

static int start(weir_app *app)
{
    const struct weir_route_opts blocking = { .size = sizeof blocking, .blocking = true };
    const struct weir_route_opts pinned = { .size = sizeof pinned, .pinned = true };
    int rc = weir_app_route(app, "GET", "/resolve/:name", resolve_name, NULL);
    if (rc == 0)
        rc = weir_app_route_with(app, "GET", "/report", report, NULL, &blocking);
    if (rc == 0)
        rc = weir_app_route_with(app, "GET", "/locale", point_of_locale, weir_app_user(app),
                                 &pinned);
    return rc;
}

int main(int argc, char **argv)
{
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return 1;
    const int status = weir_main(argc, argv,
                                 &(struct weir_app_spec){ .name = "lookup",
                                                          .summary = "calls code that blocks",
                                                          .state = WEIR_STATE_NONE,
                                                          .start = start,
                                                          .user = c_locale });
    freelocale(c_locale);
    return status;
}
