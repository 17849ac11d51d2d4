/* SPDX-License-Identifier: MIT */
/* Clean-up on every way out, and a failure that does not end the process.  C has no panics: what
 * may fail returns a code.  Guide: doc/guide/coming-from-go.md. */

#include "../guide/program.h"

static void clean_up(void *what)
{
    printf("close %s\n", (const char *)what);
}

static int handle(void *arg)
{
    const char *text = arg;
    must(weir_defer(clean_up, "connection"));
    must(weir_defer(clean_up, "file")); /* runs first */
    if (text[0] == '\0')
        return weir_fail(WEIR_EINVAL, "there is no text", NULL);
    printf("handle %s\n", text);
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    const char *const texts[] = { "one", "" };
    for (int i = 0; i < 2; i++) {
        struct weir_scope_error error = { .size = sizeof error };
        weir_scope *scope;
        must(weir_scope_open(&scope, NULL));
        must(weir_go(handle, (void *)texts[i]));
        if (weir_scope_close_error(scope, &error, WEIR_NO_DEADLINE) == 0)
            printf("<nil>\n");
        else
            printf("failed: %s\n", (const char *)error.detail);
    }
    return 0;
}
