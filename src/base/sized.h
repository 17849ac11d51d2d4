/* SPDX-License-Identifier: MIT */
#ifndef WI_BASE_SIZED_H
#define WI_BASE_SIZED_H

/* Structs of the public API begin with their size, so that a program and a library that were not
 * compiled together understand each other: what one of them does not know is zero to the other.
 *
 * Threads: pure functions on the caller's memory. */

#include <stddef.h>

#include "weir/err.h"

/* Copies options that a caller gave into the library's own struct of `own_bytes`.
 *
 *   given  begins with its size, of which 0 counts as own_bytes; NULL: all zero
 *
 *   0             what the caller's version lacks is zero in *own
 *   WEIR_EINVAL   the caller's version is longer, and asks there for something that is not known
 *                 here, or the size is none (above 4 KiB); *own is not to be used */
WEIR_CHECK int wi_sized_take(void *own, size_t own_bytes, const void *given);

/* The same without a copy where caller and library were compiled together: the options to read,
 * which are `given` itself or *own.  NULL: WEIR_EINVAL as above. */
static inline const void *wi_sized_view(void *own, size_t own_bytes, const void *given)
{
    /* A size of 0 is filled in by the copy; what stands first is a size_t by contract. */
    if (given != NULL && *(const size_t *)given == own_bytes)
        return given;
    return wi_sized_take(own, own_bytes, given) == 0 ? own : NULL;
}

/* Copies the library's struct of `own_bytes` into a caller's, as much as that has room for by its
 * size (0 counts as own_bytes), and sets its size to what was copied. */
void wi_sized_give(void *out, const void *own, size_t own_bytes);

#endif
