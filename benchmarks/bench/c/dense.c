/* The selection game by listing all schemes: outer sums, one sort, one scan for all providers, superset sums. */
#include "common.h"

static long schemes(void) {
    long size = 1;
    for (int x = 0; x < X; x++) size *= A;
    return size;
}

/* Values of all schemes in lexicographic order, in place: state by state, from the last scheme backwards. */
static void list_schemes(const int32_t (*table)[X][A], int32_t (*values)[P]) {
    for (int p = 0; p < P; p++) values[0][p] = 0;
    long size = 1;
    for (int x = 0; x < X; x++) {
        for (long f = size - 1; f >= 0; f--) {
            int32_t parent[P];
            for (int p = 0; p < P; p++) parent[p] = values[f][p];
            for (int a = A - 1; a >= 0; a--)
                for (int p = 0; p < P; p++) values[f * A + a][p] = parent[p] + table[p][x][a];
        }
        size *= A;
    }
}

int solve(const int32_t (*tables)[P][X][A], long count, int threads, int64_t (*worst)[COMMITTEES],
          int64_t (*number)[COMMITTEES]) {
    long size = schemes();
    int bits = 0, failed = 0;
    while (1L << bits < size) bits++;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        int32_t(*values)[P] = malloc(size * sizeof *values);
        int64_t *keys = malloc(2 * size * sizeof *keys);
        int32_t *stable = malloc(size * sizeof *stable);
        failed = !values || !keys || !stable;
#pragma omp for schedule(dynamic, 16)
        for (long b = 0; b < count; b++) {
            if (failed) continue;
            list_schemes(tables[b], values);
            for (long f = 0; f < size; f++) keys[f] = (int64_t)((uint64_t)(-(int64_t)values[f][0]) << bits) | f;
            int64_t *sorted = sort_keys(keys, keys + size, size);
            scan(sorted, size, bits, values, stable);
            committees(tables[b], sorted, size, bits, stable, worst[b], number[b]);
        }
        free(values), free(keys), free(stable);
    }
    return failed;
}
