/* The joint game by subset programs: cells that are strictly better whole than split are pushed into all their unions
   with later, disjoint sets, by enumeration of submasks; committees push only cells that all members find stable.
   State x is bit x of a set. With QUANTAL values are doubles and the user responds by odds, otherwise integers. */
#include <math.h>

#include "common.h"

#define N (1 << X)
#define FULL (N - 1)
#ifdef QUANTAL
typedef double value_t;
#define LOW -1e300
#else
typedef int32_t value_t;
#define LOW (-(1 << 30))
#endif
#define HIGH (-(LOW))

typedef struct {
    value_t sums[N][P][A], values[P][N], best[K][N], split[N], worst[N];
    int32_t bits[N], listed[2][N], first[2][X + 1];
    int64_t weight[N], number[N];
} Room;

/* The value of every set as one cell, to every player. */
static void cells(const int32_t (*table)[X][A], const int32_t *prior, double sharpness, Room *room) {
    memset(room->sums[0], 0, sizeof room->sums[0]);
    room->weight[0] = 0;
    for (int s = 1; s < N; s++) {
        int x = __builtin_ctz(s), before = s & (s - 1);
        for (int p = 0; p < P; p++)
            for (int a = 0; a < A; a++) room->sums[s][p][a] = room->sums[before][p][a] + table[p][x][a];
#ifdef QUANTAL
        room->weight[s] = room->weight[before] + prior[x];
        double top = LOW, total = 0, odds[A], rate = sharpness / room->weight[s];
        for (int a = 0; a < A; a++) top = fmax(top, room->sums[s][0][a]);
        for (int a = 0; a < A; a++) total += odds[a] = exp(rate * (room->sums[s][0][a] - top));
        for (int p = 0; p < P; p++) {
            double mean = 0;
            for (int a = 0; a < A; a++) mean += odds[a] * room->sums[s][p][a];
            room->values[p][s] = mean / total;
        }
#else
        int chosen = 0;
        for (int a = 1; a < A; a++)
            if (room->sums[s][0][a] > room->sums[s][0][chosen]) chosen = a;
        for (int p = 0; p < P; p++) room->values[p][s] = room->sums[s][p][chosen];
#endif
    }
}

/* What every set is worth split in two cells or more, and at best. */
static void splits(const value_t *value, value_t *split, value_t *best) {
    for (int s = 0; s < N; s++) split[s] = LOW;
    best[0] = 0;
    for (int x = X - 1; x >= 0; x--)
        for (int s = 1 << x; s < N; s += 2 << x) {
            value_t mine = value[s];
            best[s] = mine > split[s] ? mine : split[s];
            if (mine <= split[s]) continue;
            int later = (FULL ^ s) & -(1 << x);
            for (int rest = later; rest; rest = (rest - 1) & later) {
                value_t worth = mine + best[rest];
                if (worth > split[s | rest]) split[s | rest] = worth;
            }
        }
}

/* Sets that some provider, or several, find stable, by lowest state. */
static void list_stable(Room *room, int several) {
    int size = 0;
    for (int x = 0; x < X; x++) {
        room->first[several][x] = size;
        for (int s = 1 << x; s < N; s += 2 << x)
            if (room->bits[s] & (room->bits[s] - several)) room->listed[several][size++] = s;
    }
    room->first[several][X] = size;
}

/* Smallest value and number of partitions into cells that all of `mask` find stable; if it is of one provider, of those
   that are best for it: of what is left, a cell keeps the best value. */
static void supported(Room *room, int mask, value_t slack, value_t *least, int64_t *count) {
    int several = (mask & (mask - 1)) != 0, j = __builtin_ctz(mask);
    const int32_t *first = room->first[several], *listed = room->listed[several];
    const value_t *user = room->values[0], *own = room->values[j + 1], *best = room->best[j];
    value_t *worst = room->worst;
    int64_t *number = room->number;
    for (int s = 0; s < N; s++) worst[s] = HIGH, number[s] = 0;
    worst[0] = 0, number[0] = 1;
    for (int x = X - 1; x >= 0; x--)
        for (int i = first[x]; i < first[x + 1]; i++) {
            int s = listed[i], later = (FULL ^ s) & -(1 << x), rest = later;
            if ((room->bits[s] & mask) != mask) continue;
            do { /* with the first state only the set of all states matters */
                if (several || own[s] + slack + best[rest] >= best[s | rest]) {
                    value_t worth = user[s] + worst[rest];
                    if (worth < worst[s | rest]) worst[s | rest] = worth;
                    number[s | rest] += number[rest];
                }
                rest = (rest - 1) & later;
            } while (x && rest != later);
        }
    *least = worst[FULL], *count = number[FULL];
}

int solve(const int32_t (*tables)[P][X][A], const int32_t (*prior)[X], const value_t *slack, double sharpness,
          long count, int threads, value_t (*worst)[COMMITTEES], int64_t (*number)[COMMITTEES]) {
    int failed = 0;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        Room *room = malloc(sizeof *room);
        failed = !room;
#pragma omp for schedule(dynamic, 1)
        for (long b = 0; b < count; b++) {
            if (failed) continue;
            cells(tables[b], prior[b], sharpness, room);
            memset(room->bits, 0, sizeof room->bits);
            for (int j = 0; j < K; j++) {
                splits(room->values[j + 1], room->split, room->best[j]);
                for (int s = 1; s < N; s++) room->bits[s] |= (room->values[j + 1][s] >= room->split[s] - slack[b]) << j;
            }
            list_stable(room, 0);
            list_stable(room, 1);
            for (int mask = 1; mask <= COMMITTEES; mask++)
                supported(room, mask, slack[b], &worst[b][mask - 1], &number[b][mask - 1]);
        }
        free(room);
    }
    return failed;
}
