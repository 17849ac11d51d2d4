/* SPDX-License-Identifier: MIT */
/* Goal: a C++17 program uses weir as it stands: headers, options, tasks, a channel.
 * Method: under each scheduler a producer in a scope sends numbers that its parent sums up. */
#include <cstdio>
#include <initializer_list>
#include <weir/weir.h>

namespace
{

constexpr int numbers = 1000;

int produce(void *arg)
{
    auto *channel = static_cast<weir_chan *>(arg);
    for (int i = 1; i <= numbers; i++) {
        const int rc = weir_chan_send(channel, &i, WEIR_NO_DEADLINE);
        if (rc != 0)
            return rc;
    }
    weir_chan_close(channel);
    return 0;
}

int sum_up(void *arg)
{
    weir_chan_opts options{};
    options.elem_bytes = sizeof(int);
    options.cap_elems = 4;
    weir_chan *channel = nullptr;
    int rc = weir_chan_create(&channel, &options);
    if (rc != 0)
        return rc;

    weir_scope *scope = nullptr;
    rc = weir_scope_open(&scope, nullptr);
    if (rc == 0) {
        rc = weir_go(produce, channel);
        int number = 0;
        while (rc == 0 && weir_chan_recv(channel, &number, weir_in_ms(10000)) == 0)
            *static_cast<int *>(arg) += number;
        const int closed = weir_scope_close(scope, weir_in_ms(10000));
        if (rc == 0)
            rc = closed;
    }
    weir_chan_destroy(channel);
    return rc;
}

/* Whether the sum is right under this scheduler; says what is not. */
bool works(weir_scheduler scheduler)
{
    weir_opts options{};
    options.scheduler = scheduler;
    int rc = weir_open(&options);
    if (rc != 0) {
        std::printf("scheduler %d: weir_open: %s\n", scheduler, weir_err_text(rc));
        return false;
    }

    int sum = 0;
    int result = 0;
    rc = weir_run(sum_up, &sum, &result);
    const int closed = weir_close(weir_in_ms(10000));
    const bool right = rc == 0 && result == 0 && closed == 0 && sum == numbers * (numbers + 1) / 2;
    std::printf("scheduler %d: run %s, result %s, close %s, sum %d: %s\n", scheduler,
                weir_err_name(rc), weir_err_name(result), weir_err_name(closed), sum,
                right ? "right" : "wrong");
    return right;
}

} // namespace

int main()
{
    bool right = true;
    for (const auto scheduler :
         { WEIR_SCHEDULER_TASKS, WEIR_SCHEDULER_LOOP, WEIR_SCHEDULER_THREADS })
        right = works(scheduler) && right;
    return right ? 0 : 1;
}
