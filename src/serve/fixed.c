/* SPDX-License-Identifier: MIT */
/* Routes whose answer never changes: the edge gives it, before admission and without a task.  So a
 * health check is answered also by a server that refuses everything else, and by the monitor while
 * a handler keeps the only thread of a `loop` (task/worker.h: g).
 *
 * The answer to the usual client is made ahead (canned.h); HEAD, HTTP/1.0 and the last answer of a
 * connection are made from type and text.
 *
 * Threads: as server.c. */
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "serve/answer.h"
#include "serve/server.h"

enum {
    TEXT_BYTES_MAX = 512
};

int weir_server_answer(weir_server *server, const char *pattern, const char *type, const char *text)
{
    wi_bug_unless(server != NULL);
    wi_bug_unless(pattern != NULL);
    wi_bug_unless(text != NULL);
    if (type == NULL)
        type = WI_ANSWER_TYPE;
    const size_t type_bytes = strlen(type) + 1;
    const size_t text_bytes = strlen(text) + 1;
    if (text_bytes - 1 > TEXT_BYTES_MAX || type_bytes > TEXT_BYTES_MAX)
        return WEIR_EMSGSIZE;
    struct wi_fixed *fixed = wi_alloc(sizeof(*fixed) + type_bytes + text_bytes);
    if (fixed == NULL)
        return WEIR_ENOMEM;
    char *own = (char *)(fixed + 1);
    fixed->type = memcpy(own, type, type_bytes);
    fixed->text = memcpy(own + type_bytes, text, text_bytes);
    int rc = wi_canned_make(&fixed->canned, 200, type, text, text_bytes - 1);
    if (rc == 0) {
        const struct wi_route route = { .method = "GET", .answer = fixed };
        rc = wi_server_add_route(server, pattern, &route);
    }
    if (rc != 0)
        wi_free(fixed);
    return rc == WEIR_ENOSPC ? WEIR_EMSGSIZE : rc;
}
