/* The misalignment program of the committee of all: a tableau simplex on its dual.

       maximize sum_r (l_r - m_r) u_0(r)   subject to   sum_r (l_r - m_r) u_j(r) <= 0 for every provider j,
       sum_r (l_r - m_r) = 0 (as two rows),   sum_r (l_r + m_r) <= 1,   l, m >= 0

   starts feasible with slacks; the weights are the prices of the providers' rows. Largest gain enters (after too many
   pivots without progress the first one: Bland), largest pivot leaves among ties. Utilities are scaled to [0, 1]. */
#include <math.h>

#include "common.h"

#define R (X * A)
#define ROWS (K + 3)
#define COLUMNS (2 * R + ROWS + 1) /* l, m, slacks, right-hand side */
#define RHS (COLUMNS - 1)
#define ZERO 1e-11

static double fit(const int32_t (*table)[X][A], double resolution) {
    double low[P], unit[P], u[P][R], t[ROWS + 1][COLUMNS]; /* the last row: gains */
    int basic[ROWS];
    for (int p = 0; p < P; p++) {
        const int32_t *flat = &table[p][0][0];
        double high = low[p] = flat[0];
        for (int r = 1; r < R; r++) low[p] = fmin(low[p], flat[r]), high = fmax(high, flat[r]);
        unit[p] = high > low[p] ? high - low[p] : 1;
        for (int r = 0; r < R; r++) u[p][r] = (flat[r] - low[p]) / unit[p];
    }
    memset(t, 0, sizeof t);
    for (int r = 0; r < R; r++) {
        for (int j = 0; j < K; j++) t[j][r] = u[j + 1][r], t[j][R + r] = -u[j + 1][r];
        t[K][r] = 1, t[K][R + r] = -1;
        t[K + 1][r] = -1, t[K + 1][R + r] = 1;
        t[K + 2][r] = t[K + 2][R + r] = 1;
        t[ROWS][r] = u[0][r], t[ROWS][R + r] = -u[0][r];
    }
    for (int i = 0; i < ROWS; i++) t[i][2 * R + i] = 1, basic[i] = 2 * R + i;
    t[K + 2][RHS] = 1;
    for (int pivots = 0, stalled = 0; pivots < 1000; pivots++) {
        int enters = -1, leaves = -1;
        double gain = ZERO, step = INFINITY;
        for (int c = 0; c < RHS; c++)
            if (t[ROWS][c] > gain) {
                gain = t[ROWS][c], enters = c;
                if (stalled > 20) break;
            }
        if (enters < 0) break;
        for (int i = 0; i < ROWS; i++)
            if (t[i][enters] > ZERO) step = fmin(step, t[i][RHS] / t[i][enters]);
        for (int i = 0; i < ROWS; i++)
            if (t[i][enters] > ZERO && t[i][RHS] <= (step + 1e-12) * t[i][enters])
                if (leaves < 0 || (stalled > 20 ? basic[i] < basic[leaves] : t[i][enters] > t[leaves][enters]))
                    leaves = i;
        stalled = gain * step > 1e-13 ? 0 : stalled + 1;
        basic[leaves] = enters;
        double scale = 1 / t[leaves][enters];
        for (int c = 0; c < COLUMNS; c++) t[leaves][c] *= scale;
        for (int i = 0; i <= ROWS; i++) {
            double times = t[i][enters];
            if (i == leaves || times == 0) continue;
            for (int c = 0; c < COLUMNS; c++) t[i][c] -= times * t[leaves][c];
        }
    }
    double top = -INFINITY, bottom = INFINITY; /* the score that the weights attain */
    for (int r = 0; r < R; r++) {
        double residual = u[0][r];
        for (int j = 0; j < K; j++) residual -= fmax(0, -t[ROWS][2 * R + j]) * u[j + 1][r];
        top = fmax(top, residual), bottom = fmin(bottom, residual);
    }
    return (top - bottom) / 2 * unit[0] / resolution;
}

void solve(const int32_t (*tables)[P][X][A], double resolution, long count, int threads, double *score) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (long b = 0; b < count; b++) score[b] = fit(tables[b], resolution);
}
