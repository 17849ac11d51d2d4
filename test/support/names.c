/* SPDX-License-Identifier: MIT */
/* See names.h. */
#include "support/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "support/run.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t open;
    bool held;
    int asked;
} names = { .lock = PTHREAD_MUTEX_INITIALIZER, .open = PTHREAD_COND_INITIALIZER };

int names_asked(void)
{
    return peek(&names.asked);
}

static void set_held(bool held)
{
    CHECK_EQ(pthread_mutex_lock(&names.lock), 0);
    names.held = held;
    CHECK_EQ(pthread_cond_broadcast(&names.open), 0);
    CHECK_EQ(pthread_mutex_unlock(&names.lock), 0);
}

void names_hold(void)
{
    set_held(true);
}

void names_let_go(void)
{
    set_held(false);
}

static struct wi_addr this_machine(uint32_t host)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_addr = { .s_addr = htonl(host) } };
    struct wi_addr addr = { .bytes = sizeof(address) };
    memcpy(addr.data, &address, sizeof(address));
    return addr;
}

int names_answer(const char *host, struct wi_addr *out, int max, const char **why)
{
    CHECK(max >= 2);
    bump(&names.asked);
    *why = "the test says so";
    if (strcmp(host, "nobody.test") == 0)
        return WEIR_ENOHOST;
    if (strcmp(host, "down.test") == 0)
        return WEIR_ELOOKUP;
    if (strcmp(host, "two.test") == 0) {
        out[0] = this_machine(INADDR_LOOPBACK + 1);
        out[1] = this_machine(INADDR_LOOPBACK);
        return 2;
    }
    CHECK_EQ(pthread_mutex_lock(&names.lock), 0);
    while (names.held && strncmp(host, "held", 4) == 0)
        CHECK_EQ(pthread_cond_wait(&names.open, &names.lock), 0);
    CHECK_EQ(pthread_mutex_unlock(&names.lock), 0);
    out[0] = this_machine(INADDR_LOOPBACK);
    return 1;
}
