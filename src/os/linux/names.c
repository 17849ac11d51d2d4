/* SPDX-License-Identifier: MIT */
/* Names of hosts on Linux: what the C library finds. */
#define _GNU_SOURCE 1
#include "os/names.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"

static int code_of(int failure)
{
    switch (failure) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return WEIR_ENOHOST;
    case EAI_MEMORY:
        return WEIR_ENOMEM;
    default:
        return WEIR_ELOOKUP;
    }
}

int wi_names_lookup(const char *host, struct wi_addr *out, int max, const char **why)
{
    wi_bug_unless(host != NULL);
    wi_bug_unless_cmp(max, >, 0);
    /* Not AI_ADDRCONFIG: it leaves out what only the loopback interface reaches. */
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    const int failure = getaddrinfo(host, NULL, &hints, &found);
    if (failure != 0) {
        *why = gai_strerror(failure);
        return code_of(failure);
    }
    int count = 0;
    for (const struct addrinfo *one = found; one != NULL && count < max; one = one->ai_next) {
        if (one->ai_addrlen > sizeof(out->data))
            continue;
        out[count] = (struct wi_addr){ .bytes = (uint32_t)one->ai_addrlen };
        memcpy(out[count++].data, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    *why = "it has no address";
    return count > 0 ? count : WEIR_ENOHOST;
}
