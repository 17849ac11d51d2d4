/* SPDX-License-Identifier: MIT */
/* Structs that begin with their size; see sized.h. */
#include "base/sized.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

/* No struct of ours will be longer; a size beyond it is memory that nobody set. */
enum {
    SIZED_BYTES_MAX = 4096
};

/* The size that stands in front; structs are read by bytes, because the callee knows no type. */
static size_t stated_bytes(const void *sized, size_t own_bytes)
{
    size_t stated;
    memcpy(&stated, sized, sizeof(stated));
    return stated != 0 ? stated : own_bytes;
}

static bool all_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

int wi_sized_take(void *own, size_t own_bytes, const void *given)
{
    wi_bug_unless_cmp(own_bytes, >=, sizeof(size_t));
    memset(own, 0, own_bytes);
    if (given == NULL)
        return 0;
    const size_t stated = stated_bytes(given, own_bytes);
    memcpy(own, given, stated < own_bytes ? stated : own_bytes);
    if (stated <= own_bytes)
        return 0;
    if (stated > SIZED_BYTES_MAX)
        return WEIR_EINVAL;
    const unsigned char *beyond = (const unsigned char *)given + own_bytes;
    return all_zero(beyond, stated - own_bytes) ? 0 : WEIR_EINVAL;
}

void wi_sized_give(void *out, const void *own, size_t own_bytes)
{
    const size_t stated = stated_bytes(out, own_bytes);
    const size_t bytes = stated < own_bytes ? stated : own_bytes;
    memcpy(out, own, bytes);
    if (bytes >= sizeof(bytes))
        memcpy(out, &bytes, sizeof(bytes));
}
