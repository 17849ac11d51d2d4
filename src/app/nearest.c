/* SPDX-License-Identifier: MIT */
/* Distance between words, for "did you mean".  See nearest.h. */
#include "app/nearest.h"

#include <string.h>

enum {
    LETTERS_MAX = 31,
    SLIPS_MAX = 3
};

static int min(int left, int right)
{
    return left < right ? left : right;
}

static int letters_of(const char *word)
{
    const size_t letters = strlen(word);
    return letters < LETTERS_MAX ? (int)letters : LETTERS_MAX;
}

int wi_word_distance(const char *left, const char *right)
{
    const int rows = letters_of(left);
    const int columns = letters_of(right);
    int cost[LETTERS_MAX + 1][LETTERS_MAX + 1];
    for (int i = 0; i <= rows; i++)
        cost[i][0] = i;
    for (int j = 0; j <= columns; j++)
        cost[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        for (int j = 1; j <= columns; j++) {
            const int replace = cost[i - 1][j - 1] + (left[i - 1] != right[j - 1]);
            cost[i][j] = min(replace, 1 + min(cost[i - 1][j], cost[i][j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                cost[i][j] = min(cost[i][j], 1 + cost[i - 2][j - 2]);
        }
    }
    return cost[rows][columns];
}

const char *wi_nearest(const char *word, const char *const *candidates, size_t count)
{
    const int third = letters_of(word) / 3;
    int best = min(third > 1 ? third : 1, SLIPS_MAX) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        const int distance = wi_word_distance(word, candidates[i]);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
