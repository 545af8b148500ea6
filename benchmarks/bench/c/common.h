/* What the loops share. K providers, X states and A actions are given by -D when they are compiled, so that the
   compiler unrolls and vectorizes. Player 0 is the user; contributions `[P][X][A]` are prior weight times utility. */
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define P (K + 1)
#define COMMITTEES ((1 << K) - 1)
#define NEVER INT32_MIN
#define MOST INT64_MAX

/* Sorts distinct keys: blocks by counting how many are smaller, without branches, then merges of runs. */
#define BLOCK 128

static inline void merge(const int64_t *source, int64_t *target, long start, long middle, long end) {
    long i = start, k = middle;
    for (long at = start; at < end; at++) {
        int first = k == end || (i < middle && source[i] < source[k]);
        target[at] = source[first ? i : k];
        i += first;
        k += !first;
    }
}

static int64_t *sort_keys(int64_t *keys, int64_t *scratch, long size) {
    for (long start = 0; start < size; start += BLOCK) {
        long end = start + BLOCK < size ? start + BLOCK : size;
        for (long i = start; i < end; i++) {
            long before = start;
            for (long k = start; k < end; k++) before += keys[k] < keys[i];
            scratch[before] = keys[i];
        }
    }
    int64_t *source = scratch, *target = keys;
    for (long width = BLOCK; width < size; width *= 2) {
        for (long start = 0; start < size; start += 2 * width) {
            long middle = start + width < size ? start + width : size;
            long end = start + 2 * width < size ? start + 2 * width : size;
            merge(source, target, start, middle, end);
        }
        int64_t *sorted = target;
        target = source;
        source = sorted;
    }
    return source;
}

/* Bit j of `stable[i]`: nothing that the user strictly prefers is strictly better for provider j. Keys are sorted, so
   the user's favourites come first; their low bits are the place of a scheme in `values`. */
static void scan(const int64_t *keys, long size, int bits, int32_t (*values)[P], int32_t *stable) {
    int64_t low = ((int64_t)1 << bits) - 1, last = MOST;
    int32_t before[K], best[K];
    for (int j = 0; j < K; j++) before[j] = best[j] = NEVER;
    for (long i = 0; i < size; i++) {
        int64_t user = keys[i] >> bits;
        const int32_t *value = values[keys[i] & low];
        if (user != last) {
            last = user;
            for (int j = 0; j < K; j++) before[j] = best[j];
        }
        int32_t cell = 0;
        for (int j = 0; j < K; j++) {
            cell |= (value[j + 1] >= before[j]) << j;
            best[j] = value[j + 1] > best[j] ? value[j + 1] : best[j];
        }
        stable[i] = cell;
    }
}

/* Worst equilibrium and number of equilibria of every committee: sums over supersets of stable providers; committees of
   one are the monopolist's own optima. */
static void committees(const int32_t (*table)[X][A], const int64_t *keys, long size, int bits, const int32_t *stable,
                       int64_t *worst, int64_t *count) {
    int64_t least[1 << K], number[1 << K];
    for (int c = 0; c < 1 << K; c++) least[c] = MOST, number[c] = 0;
    for (long i = 0; i < size; i++) { /* values fall along the order: the last one is the worst */
        least[stable[i]] = -(keys[i] >> bits);
        number[stable[i]]++;
    }
    for (int j = 0; j < K; j++)
        for (int c = 0; c < 1 << K; c++)
            if (!(c >> j & 1)) {
                int64_t other = least[c | 1 << j];
                least[c] = other < least[c] ? other : least[c];
                number[c] += number[c | 1 << j];
            }
    for (int c = 1; c < 1 << K; c++) worst[c - 1] = least[c], count[c - 1] = number[c];
    for (int j = 0; j < K; j++) {
        int64_t total = 0, ways = 1;
        for (int x = 0; x < X; x++) {
            int32_t top = NEVER, user = 0, ties = 0;
            for (int a = 0; a < A; a++) {
                int32_t value = table[j + 1][x][a], hers = table[0][x][a];
                if (value > top)
                    top = value, user = hers, ties = 1;
                else if (value == top)
                    user = hers < user ? hers : user, ties++;
            }
            total += user;
            ways *= ties;
        }
        worst[(1 << j) - 1] = total;
        count[(1 << j) - 1] = ways;
    }
}
