/* SPDX-License-Identifier: MIT */
/* The primary's side of a service: admin endpoint, numbers over all processes, draining listeners;
 * and what runs in a worker.  See supervisor.h. */
#include "app/supervisor.h"

#include "app/line.h"
#include "app/metrics.h"
#include "app/service.h"
#include "base/check.h"
#include "base/shortage.h"
#include "os/clock.h"
#include "os/process.h"

enum {
    EXIT_FAILED = 1,
    SAY_BYTES = 1024
};

void wi_supervisor_say_ready(const struct wi_supervisor *supervisor)
{
    const struct wi_listeners *listeners = supervisor->listeners;
    char buffer[SAY_BYTES];
    struct wi_text text;
    wi_text_init(&text, buffer, sizeof(buffer));
    wi_plan_describe(supervisor->plan, &text);
    wi_text_add(&text, ", listening on ");
    for (int i = 0; i < listeners->count; i++) {
        wi_text_add(&text, "%s", i > 0 ? ", " : "");
        wi_listener_describe(&listeners->serve[i], &text);
    }
    if (listeners->admin.text[0] != '\0') {
        wi_text_add(&text, " (admin ");
        wi_listener_describe(&listeners->admin, &text);
        wi_text_add(&text, ")");
    }
    wi_line_say(supervisor->spec->name, text.data);
}

/* -- in a worker ------------------------------------------------------------------------------ */

static void worker_ready(void *user)
{
    wi_member_ready(user);
}

static void worker_draining(void *user)
{
    wi_member_draining(user);
}

static void worker_failed(void *user, const char *why)
{
    wi_member_explain(user, why);
}

static int run_worker(struct wi_member *self, void *user)
{
    struct wi_supervisor *supervisor = user;
    static struct wi_service service; /* as in main.c */
    struct wi_share *total = wi_slots_total(wi_cluster_slots(supervisor->cluster));
    return wi_service_run(&service, &(struct wi_service_opts){
                                        .spec = supervisor->spec,
                                        .plan = supervisor->plan,
                                        .options = supervisor->options,
                                        .listeners = supervisor->listeners,
                                        .share = self->payload,
                                        .costs = &total->costs,
                                        .supervised = true,
                                        .on_ready = worker_ready,
                                        .on_draining = worker_draining,
                                        .on_failed = worker_failed,
                                        .user = self,
                                    });
}

/* The admin endpoint and whoever talks to it belong to the primary. */
static void on_forked(void *user)
{
    struct wi_supervisor *supervisor = user;
    if (supervisor->admin != NULL)
        wi_admin_abandon(supervisor->admin);
    supervisor->admin = NULL;
    wi_listeners_close_admin(supervisor->listeners);
}

/* -- in the primary --------------------------------------------------------------------------- */

static void on_ready(void *user)
{
    wi_supervisor_say_ready(user);
}

/* New connections stop for all processes at once, so none is left in the queue of a listener when
 * the last worker closes it. */
static void on_drain(void *user)
{
    struct wi_supervisor *supervisor = user;
    struct wi_listeners *listeners = supervisor->listeners;
    for (int i = 0; i < listeners->count; i++) {
        if (listeners->serve[i].fd >= 0)
            (void)wi_socket_listener_quiesce(listeners->serve[i].fd);
    }
    wi_listeners_unlink(listeners);
    wi_listeners_close(listeners);
}

static void on_note(void *user, enum wi_cluster_note kind, const char *line)
{
    const struct wi_supervisor *supervisor = user;
    const char *name = supervisor->spec->name;
    if (kind == WI_CLUSTER_FATAL)
        wi_line_say(name, line);
    else
        wi_line_print(kind == WI_CLUSTER_WARN ? WI_LOG_WARN : WI_LOG_INFO, name, line);
}

static bool tell_ready(void *user, const char **why)
{
    const struct wi_supervisor *supervisor = user;
    struct wi_cluster_status status;
    wi_cluster_status(supervisor->cluster, &status);
    *why = status.draining ? "draining" : "starting";
    return !status.draining && status.ready > 0;
}

/* What a worker shows, and what the kernel says of it.  Of a dead one nothing: its counters are in
 * the total, its successor's slot is clear. */
static int gather(const struct wi_supervisor *supervisor, struct wi_numbers *sum,
                  struct wi_metrics_process *processes)
{
    const struct wi_slots *slots = wi_cluster_slots(supervisor->cluster);
    const struct wi_share *total = wi_slots_total(slots);
    wi_numbers_add(sum, &total->numbers);
    int count = 0;
    processes[count].index = -1;
    if (wi_process_usage(wi_process_id(), &processes[count].usage) == 0)
        count++;
    for (int i = 0; i < supervisor->plan->processes; i++) {
        const int id = wi_cluster_worker_id(supervisor->cluster, i);
        if (id == 0)
            continue;
        wi_share_add(sum, wi_slots_payload(slots, i));
        processes[count].index = i;
        if (wi_process_usage(id, &processes[count].usage) == 0)
            count++;
    }
    return count;
}

static void write_metrics(void *user, struct wi_text *out)
{
    const struct wi_supervisor *supervisor = user;
    static struct wi_metrics_process processes[WI_PROCESSES_MAX + 1]; /* the primary's one thread */
    struct wi_numbers sum = { 0 };
    struct wi_cluster_status status;
    const char *why;
    wi_cluster_status(supervisor->cluster, &status);
    const int count = gather(supervisor, &sum, processes);
    const struct wi_share *total = wi_slots_total(wi_cluster_slots(supervisor->cluster));
    const struct wi_metrics_view view = {
        .version = weir_version(),
        .plan = supervisor->plan,
        .numbers = &sum,
        .costs = &total->costs,
        .ready = tell_ready(user, &why),
        .up_ns = wi_clock_now() - supervisor->started_at,
        .alive = status.alive,
        .ready_count = status.ready,
        .respawns = status.respawns,
        .processes = processes,
        .process_count = count,
    };
    wi_metrics_write(out, &view);
}

/* The primary has no tasks, and waits for nobody who has. */
static void write_tasks(void *user, struct wi_text *out)
{
    const struct wi_supervisor *supervisor = user;
    wi_text_add(out,
                "the tasks are in the workers: SIGQUIT has them print what they do%s; they are\n",
                supervisor->options->quit_stays ? "" : ", and end (see --sigquit)");
    for (int i = 0; i < supervisor->plan->processes; i++) {
        const int id = wi_cluster_worker_id(supervisor->cluster, i);
        if (id != 0)
            wi_text_add(out, "worker %d, process %d\n", i, id);
    }
}

static int open_admin(struct wi_supervisor *supervisor)
{
    struct wi_listeners *listeners = supervisor->listeners;
    if (listeners->admin.fd < 0)
        return 0;
    const struct wi_admin_opts opts = {
        .metrics = write_metrics, .ready = tell_ready, .tasks = write_tasks, .user = supervisor
    };
    const int rc = wi_admin_open(&supervisor->admin, wi_cluster_loop(supervisor->cluster),
                                 listeners->admin.fd, &opts);
    if (rc == 0)
        listeners->admin.fd = -1;
    return rc;
}

int wi_supervisor_run(struct wi_supervisor *supervisor)
{
    const struct wi_cluster_opts opts = {
        .workers = supervisor->plan->processes,
        .drain_ns = supervisor->options->drain_ns,
        .quit_stays = supervisor->options->quit_stays,
        .payload_bytes = sizeof(struct wi_share),
        .fold = wi_share_fold,
        .worker = run_worker,
        .on_forked = on_forked,
        .on_ready = on_ready,
        .on_drain = on_drain,
        .note = on_note,
        .user = supervisor,
    };
    supervisor->started_at = wi_clock_now();
    int rc = wi_cluster_open(&supervisor->cluster, &opts);
    if (rc == 0) {
        rc = open_admin(supervisor);
        if (rc != 0)
            wi_cluster_close(supervisor->cluster);
    }
    if (rc != 0) {
        wi_line_say(supervisor->spec->name, wi_shortage_text(rc));
        return EXIT_FAILED;
    }

    const int status = wi_cluster_run(supervisor->cluster);
    if (supervisor->admin != NULL)
        wi_admin_close(supervisor->admin);
    wi_cluster_close(supervisor->cluster);
    return status;
}
