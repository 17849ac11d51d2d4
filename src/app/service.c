/* SPDX-License-Identifier: MIT */
/* A serving process.  See service.h.
 *
 * Who runs where: main_task() is a task of the runtime (under `loop` it is on the thread that
 * opened); on_signaled(), on_publish(), on_bound()
 * and what they call are callbacks of the monitor's loop.
 * Pairing: begin_stop() sets the signal (a) and then looks who waits (b); main_task() says that it
 * waits (c) and then looks for the signal (d).  All four are seq_cst, so one sees the other. */
#include "app/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/line.h"
#include "app/metrics.h"
#include "app/tasks.h"
#include "base/check.h"
#include "base/shortage.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/signal.h"
#include "sync/wait.h"
#include "task/runtime.h"
#include "weir/cluster.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_QUIT = 2, /* after a dump: of SIGQUIT, or of a deadlock */
    WHY_BYTES = 256
};

#define TELL_EVERY_NS WEIR_NS_PER_S
#define PUBLISH_NS (500 * WEIR_NS_PER_MS)
#define CUT_NS (500 * WEIR_NS_PER_MS) /* beyond the drain timeout, for cutting what is left */
#define CLOSE_NS (2 * WEIR_NS_PER_S)

/* -- numbers ---------------------------------------------------------------------------------- */

static void publish(struct wi_service *service)
{
    struct weir_runtime_stats stats = { .size = sizeof(stats) };
    weir_runtime_stats_read(&stats);
    wi_numbers_take_runtime(&service->opts.share->numbers, &stats);
}

static void on_publish(struct wi_timer *timer)
{
    struct wi_service *service = wi_container_of(timer, struct wi_service, publish);
    publish(service);
    (void)wi_timer_start(timer, &service->monitor->wheel, weir_in_ns(PUBLISH_NS));
}

static struct wi_charge_costs *costs_of(const struct wi_service_opts *opts)
{
    return opts->costs != NULL ? opts->costs : &opts->share->costs;
}

static void write_metrics(void *user, struct wi_text *out)
{
    struct wi_service *service = user;
    struct wi_numbers sum = { 0 };
    struct wi_metrics_process self = { .index = -1 };
    publish(service);
    wi_share_add(&sum, service->opts.share);
    const bool ready = wi_load_acquire(&service->phase) == WI_SERVICE_READY;
    const bool known = wi_process_usage(wi_process_id(), &self.usage) == 0;
    const struct wi_metrics_view view = {
        .version = weir_version(),
        .plan = service->opts.plan,
        .numbers = &sum,
        .costs = costs_of(&service->opts),
        .ready = ready,
        .up_ns = wi_clock_now() - service->started_at,
        .alive = 1,
        .ready_count = ready ? 1 : 0,
        .processes = &self,
        .process_count = known ? 1 : 0,
    };
    wi_metrics_write(out, &view);
}

static bool tell_ready(void *user, const char **why)
{
    struct wi_service *service = user;
    const int phase = wi_load_acquire(&service->phase);
    *why = phase == WI_SERVICE_STARTING ? "starting" : "draining";
    return phase == WI_SERVICE_READY;
}

static void write_tasks(void *user, struct wi_text *out)
{
    (void)user;
    wi_tasks_write(out);
}

/* A terminal's quit key reaches a worker twice: by itself, and by way of the primary. */
static void tell_tasks(struct wi_service *service)
{
    const weir_time now = wi_clock_now();
    if (service->told_at != 0 && now - service->told_at < TELL_EVERY_NS)
        return;
    wi_tasks_print(service->name);
    if (!service->opts.options->quit_stays)
        wi_process_exit(EXIT_QUIT);
    service->told_at = wi_clock_now();
}

/* -- the end ---------------------------------------------------------------------------------- */

/* A handler that neither ends nor waits cannot be cut; the process can. */
static void on_bound(struct wi_timer *timer)
{
    struct wi_service *service = wi_container_of(timer, struct wi_service, bound);
    wi_line_print(WI_LOG_ERROR, service->name,
                  "requests that cannot be cut were running at the drain timeout: ending");
    wi_process_exit(EXIT_FAILED);
}

static void begin_stop(struct wi_service *service, int signal)
{
    wi_store_release(&service->phase, WI_SERVICE_DRAINING);
    wi_store_seq_cst(&service->stop_signal, signal);                    /* a */
    struct wi_parker *waiting = wi_load_seq_cst(&service->main_parker); /* b */
    if (waiting != NULL)
        wi_wake(waiting);
    if (service->opts.supervised)
        return; /* the primary says so, and has the bound */
    wi_log(WI_LOG_INFO, "%s: draining, at most %" PRId64 " ms", wi_signal_name(signal),
           service->opts.options->drain_ns / WEIR_NS_PER_MS);
    const int64_t bound_ns = service->opts.options->drain_ns + CUT_NS;
    (void)wi_timer_start(&service->bound, &service->monitor->wheel, weir_in_ns(bound_ns));
}

static void on_signaled(struct wi_watch *watch, uint32_t ready)
{
    (void)ready;
    struct wi_service *service = wi_container_of(watch, struct wi_service, signaled);
    for (;;) {
        const int signal = wi_signal_take(watch->fd);
        if (signal < 0)
            return;
        if (signal == wi_signal_quit) {
            tell_tasks(service);
            continue;
        }
        const bool stopping = wi_load_relaxed(&service->stop_signal) != 0;
        /* A terminal's ^C reaches workers too; only the primary says what it means. */
        if (service->opts.supervised && (signal == wi_signal_int || stopping))
            continue;
        if (stopping) {
            wi_line_print(WI_LOG_WARN, service->name, "signaled again: ending at once");
            wi_process_exit(EXIT_FAILED);
        }
        begin_stop(service, signal);
    }
}

static const struct wi_waitable stop_waitable = { .what = "signal to stop", .outside = true };

static void wait_for_stop(struct wi_service *service)
{
    struct wi_parker *self = wi_current_parker();
    wi_store_relaxed(&self->object, NULL);
    wi_store_relaxed(&self->waitable, (void *)(uintptr_t)&stop_waitable);
    wi_store_seq_cst(&service->main_parker, self);      /* c */
    while (wi_load_seq_cst(&service->stop_signal) == 0) /* d */
        wi_park(self, WEIR_NO_DEADLINE);
}

static int drain(struct wi_service *service)
{
    const struct wi_service_opts *opts = &service->opts;
    wait_for_stop(service);
    if (opts->on_draining != NULL)
        opts->on_draining(opts->user);
    const int rc = weir_server_drain(service->app.server, weir_in_ns(opts->options->drain_ns));
    if (rc == WEIR_ETIMEDOUT)
        wi_log(WI_LOG_WARN, "requests were cut at the drain timeout");
    return rc == 0 || rc == WEIR_ETIMEDOUT ? EXIT_OK : EXIT_FAILED;
}

/* -- the start -------------------------------------------------------------------------------- */

static void fail(struct wi_service *service, const char *what, int rc)
{
    char why[WHY_BYTES];
    (void)snprintf(why, sizeof(why), "%s: %s (%s)", what, wi_shortage_text(rc), weir_err_name(rc));
    service->opts.on_failed(service->opts.user, why);
}

struct weir_server_opts wi_service_server_opts(const struct wi_service_opts *opts)
{
    const struct wi_options *options = opts->options;
    struct weir_server_opts server = opts->spec->server;
    server.size = sizeof(server);
    if (opts->plan->running_max > 0)
        server.running_max = opts->plan->running_max;
    if (options->waiting_max > 0)
        server.waiting_max = options->waiting_max;
    if (options->waiting_age_ns > 0)
        server.waiting_age_max_ns = options->waiting_age_ns;
    if (options->admission_off)
        server.admission_off = true;
    if (options->ignore_client_abort)
        server.ignore_client_abort = true;
    return server;
}

static int adopt_listeners(struct wi_service *service)
{
    struct wi_listeners *listeners = service->opts.listeners;
    for (int i = 0; i < listeners->count; i++) {
        const int rc = weir_server_adopt(service->app.server, listeners->serve[i].fd);
        if (rc != 0)
            return rc;
        listeners->serve[i].fd = -1;
    }
    return 0;
}

/* Health checks that no handler can delay, where the app has nothing of its own to say. */
static int add_health(weir_server *server)
{
    static const char *const paths[] = { "/healthz", "/livez" };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (wi_server_has_route(server, "GET", paths[i]))
            continue;
        const int rc = weir_server_answer(server, paths[i], NULL, "ok\n");
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* 0, or EXIT_FAILED after saying why. */
static int start_server(struct wi_service *service)
{
    const struct wi_service_opts *opts = &service->opts;
    const struct weir_server_opts server_opts = wi_service_server_opts(opts);
    const struct wi_server_extra extra = {
        .shared_listener = opts->supervised,
        .counters = &opts->share->serve,
        .costs = costs_of(opts),
    };
    int rc = wi_server_create(&service->app.server, &server_opts, &extra);
    if (rc != 0) {
        fail(service, "server", rc);
        return EXIT_FAILED;
    }
    rc = adopt_listeners(service);
    if (rc != 0) {
        fail(service, "listener", rc);
        goto destroy_server;
    }
    rc = opts->spec->start(&service->app);
    if (rc < 0) {
        fail(service, "start", rc);
        goto destroy_server;
    }
    rc = add_health(service->app.server);
    if (rc == 0)
        rc = weir_server_start(service->app.server);
    if (rc < 0) {
        fail(service, "serve", rc);
        goto destroy_server;
    }
    return 0;

destroy_server:
    weir_server_destroy(service->app.server);
    service->app.server = NULL;
    return EXIT_FAILED;
}

static int main_task(void *raw)
{
    struct wi_service *service = raw;
    const struct wi_service_opts *opts = &service->opts;
    int status = start_server(service);
    if (status != EXIT_OK)
        return status;
    int starting = WI_SERVICE_STARTING;
    (void)wi_cas_acq_rel(&service->phase, &starting, WI_SERVICE_READY);
    opts->on_ready(opts->user);

    status = drain(service);
    weir_server_destroy(service->app.server);
    service->app.server = NULL;
    if (opts->spec->stop != NULL)
        opts->spec->stop(&service->app);
    return status;
}

/* The runtime hands over "level: text". */
static void print_log_line(void *user, const char *line)
{
    const struct wi_service *service = user;
    for (int i = WI_LOG_ERROR; i <= WI_LOG_DEBUG; i++) {
        const enum wi_log_level level = (enum wi_log_level)i;
        const size_t bytes = strlen(wi_log_level_name(level));
        if (strncmp(line, wi_log_level_name(level), bytes) == 0 &&
            strncmp(line + bytes, ": ", 2) == 0) {
            wi_line_print(level, service->name, line + bytes + 2);
            return;
        }
    }
    wi_line_print(WI_LOG_INFO, service->name, line);
}

/* The report is in the log.  A service that listens, or waits for a signal to stop, is in none; one
 * whose start or stop waits for itself is, and nobody would ever end it. */
static void end_in_deadlock(void *user)
{
    (void)user;
    wi_process_exit(EXIT_QUIT);
}

static int open_runtime(struct wi_service *service)
{
    const struct wi_service_opts *opts = &service->opts;
    return weir_open(&(struct weir_opts){
        .size = sizeof(struct weir_opts),
        .scheduler = opts->plan->scheduler,
        .workers = opts->plan->workers,
        .watch_handlers = true,
        .report_faults = true,
        .old_kernel = opts->options->old_kernel,
        .log = print_log_line,
        .log_user = service,
        .on_deadlock = end_in_deadlock,
    });
}

/* Puts signals, numbers and the admin endpoint on the monitor's loop. */
static int watch(struct wi_service *service)
{
    struct wi_listeners *listeners = service->opts.listeners;
    service->monitor = wi_monitor_loop();
    wi_bug_unless(service->monitor != NULL); /* watch_handlers is set */
    int rc = wi_loop_watch(service->monitor, &service->signaled, WI_POLL_READ);
    if (rc == 0 && !service->opts.supervised && listeners->admin.fd >= 0) {
        const struct wi_admin_opts admin = {
            .metrics = write_metrics, .ready = tell_ready, .tasks = write_tasks, .user = service
        };
        rc = wi_admin_open(&service->admin, service->monitor, listeners->admin.fd, &admin);
        if (rc == 0)
            listeners->admin.fd = -1;
    }
    if (rc == 0 && wi_timer_start(&service->publish, &service->monitor->wheel, wi_clock_now()))
        wi_loop_kick(service->monitor);
    return rc;
}

int wi_service_run(struct wi_service *service, const struct wi_service_opts *opts)
{
    const int signals[] = { wi_signal_term, wi_signal_int, wi_signal_quit, 0 };
    *service = (struct wi_service){
        .opts = *opts,
        .app = { .spec = opts->spec, .plan = opts->plan },
        .started_at = wi_clock_now(),
        .signaled = { .on_ready = on_signaled },
    };
    if (opts->supervised)
        (void)snprintf(service->name, sizeof(service->name), "%s/%d", opts->spec->name,
                       weir_worker_index());
    else
        (void)snprintf(service->name, sizeof(service->name), "%s", opts->spec->name);
    wi_timer_init(&service->publish, on_publish);
    wi_timer_init(&service->bound, on_bound);
    wi_signal_ignore_pipe();
    const int signal_fd = wi_signal_open(signals);
    if (signal_fd < 0) {
        fail(service, "signals", signal_fd);
        return EXIT_FAILED;
    }
    service->signaled.fd = signal_fd;

    int status = EXIT_FAILED;
    int rc = open_runtime(service);
    if (rc != 0) {
        fail(service, "runtime", rc);
        goto close_signals;
    }
    rc = watch(service);
    if (rc == 0)
        rc = weir_run(main_task, service, &status);
    if (rc != 0)
        fail(service, "runtime", rc);

    if (weir_close(weir_in_ns(CLOSE_NS)) != 0) {
        wi_line_print(WI_LOG_WARN, service->name, "tasks of the app did not end");
        return EXIT_FAILED;
    }
    if (service->admin != NULL)
        wi_admin_abandon(service->admin); /* its loop is closed */
close_signals:
    wi_file_close(signal_fd);
    return status;
}
