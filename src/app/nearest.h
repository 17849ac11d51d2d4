/* SPDX-License-Identifier: MIT */
#ifndef WI_APP_NEAREST_H
#define WI_APP_NEAREST_H

/* Which word somebody may have meant.  Pure. */

#include <stddef.h>

/* The number of single-letter insertions, deletions, replacements and swaps of neighbours that
 * turn one word into the other (optimal string alignment; Damerau 1964).  Words longer than 31
 * letters are compared by their first 31. */
int wi_word_distance(const char *left, const char *right);

/* The candidate nearest to `word`, or NULL if none is near enough to be a slip of the finger: a
 * third of the word's letters, at least one and at most three. */
const char *wi_nearest(const char *word, const char *const *candidates, size_t count);

#endif
