/* The selection game state by state: partial schemes that nothing beats for any provider are extended, one sort and one
   scan per state. Equal ones stay side by side. Returns how many partial schemes some table needed; the answers are only
   good if that is no more than `room`. Without memory it is more than there can be. */
#include "common.h"

long solve(const int32_t (*tables)[P][X][A], long count, int threads, long room, int64_t (*worst)[COMMITTEES],
           int64_t (*number)[COMMITTEES]) {
    long most = room * A, needed = 0;
    int bits = 0;
    while (1L << bits < most) bits++;
#pragma omp parallel num_threads(threads) reduction(max : needed)
    {
        int32_t(*parents)[P] = malloc(room * sizeof *parents), (*values)[P] = malloc(most * sizeof *values);
        int64_t *keys = malloc(2 * most * sizeof *keys);
        int32_t *stable = malloc(most * sizeof *stable);
        long mine = parents && values && keys && stable ? 0 : MOST;
#pragma omp for schedule(dynamic, 1)
        for (long b = 0; b < count; b++) {
            if (mine > room) continue;
            long kept = 1, size = 0;
            int64_t *sorted = keys;
            memset(parents[0], 0, sizeof *parents);
            for (int x = 0; x < X && kept <= room; x++) {
                size = kept * A;
                for (long f = 0; f < kept; f++)
                    for (int a = 0; a < A; a++) {
                        long at = f * A + a;
                        for (int p = 0; p < P; p++) values[at][p] = parents[f][p] + tables[b][p][x][a];
                        keys[at] = (int64_t)((uint64_t)(-(int64_t)values[at][0]) << bits) | at;
                    }
                sorted = sort_keys(keys, keys + most, size);
                scan(sorted, size, bits, values, stable);
                if (x == X - 1) break;
                kept = 0;
                for (long i = 0; i < size; i++)
                    if (stable[i]) {
                        if (kept < room) memcpy(parents[kept], values[sorted[i] & ((1L << bits) - 1)], sizeof *parents);
                        kept++;
                    }
            }
            mine = kept > mine ? kept : mine;
            if (kept <= room) committees(tables[b], sorted, size, bits, stable, worst[b], number[b]);
        }
        needed = mine > needed ? mine : needed;
        free(parents), free(values), free(keys), free(stable);
    }
    return needed;
}
