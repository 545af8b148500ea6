// The misalignment score of every committee (2509.15090, Remark 5), by the engine's own algorithm in double precision:
// a revised simplex on the dual with a basis of order members + 1 (`equilibrax_kernels.cpu.chebyshev`), and scores that
// are inherited from larger committees where that is proved (`equilibrax_kernels.cpu.misalignment`). Every score comes
// with the gap between it and the lower bound that its multipliers prove.

const PIVOT = 1e-11; // what is closer to zero than this (unit scale) counts as zero
const TIE = 1e-12;
const SAME = 1e-12; // scores that differ by less than this (unit scale) are the same
const PATIENCE = 24; // pivots that lower nothing before Bland's rule
const LIMIT = 400;

/**
 * `[2^K]` fits `{eps, weights [K], offset, gap, violation, certified}`.
 *
 * attained: `[2^K]` flags of the outcomes `[X A]` that equilibria attain; optimal: flags of the user's optimal outcomes.
 */
export function misalignment(market, attained, optimal) {
  const utilities = [market.user, ...market.utilities].map((rows) =>
    Float64Array.from(rows.flatMap((row, x) => row.map((value, a) => (market.user[x][a] === null ? 0 : value / market.resolution)))),
  );
  const known = market.user.flat().filter((value) => value !== null);
  const unit = (Math.max(...known) - Math.min(...known)) / market.resolution || 1;
  const providers = market.utilities.length;
  const lowers = outcomesOf(optimal);
  const size = (mask) => (mask ? 1 + size(mask & (mask - 1)) : 0);
  const masks = attained.map((_, mask) => mask).slice(1).sort((a, b) => size(b) - size(a) || a - b);
  const fits = new Array(attained.length);
  for (const mask of masks) {
    for (let j = 0; j < providers && !fits[mask]; j++) {
      if (!((mask >> j) & 1)) fits[mask] = inherited(utilities, attained, mask, fits[mask | (1 << j)], j, unit);
    }
    fits[mask] ??= solved(utilities, mask, outcomesOf(attained[mask]), lowers);
    fits[mask].mask = mask;
    fits[mask].certified = fits[mask].gap <= 1e-9 * unit && fits[mask].violation <= 1e-9;
  }
  return fits;
}

const outcomesOf = (flags) => Array.from(flags.keys()).filter((r) => flags[r]);

/** The fit of a committee with one member more, if it is proved optimal for this one too; else undefined. */
function inherited(utilities, attained, mask, parent, j, unit) {
  const same = SAME * unit;
  if (parent.weights[j] !== 0 || parent.gap > same || parent.violation > same) return undefined;
  if (parent.support.some((outcome) => !attained[mask][outcome])) return undefined;
  let bottom = parent.bottom;
  attained[mask].forEach((flag, outcome) => {
    if (!flag || attained[parent.mask][outcome]) return;
    let residual = utilities[0][outcome];
    parent.weights.forEach((weight, i) => (residual -= weight * utilities[i + 1][outcome]));
    bottom = Math.min(bottom, residual);
  });
  const eps = Math.max(0, parent.top - bottom) / 2;
  if (eps > parent.eps + same) return undefined;
  const gap = Math.max(parent.gap + (eps - parent.eps), 0);
  return { ...parent, bottom, eps, gap, offset: (parent.top + bottom) / 2 };
}

function solved(utilities, mask, uppers, lowers) {
  const members = utilities.slice(1).flatMap((_, j) => ((mask >> j) & 1 ? [j] : []));
  const order = members.length + 1;
  const scaled = toUnitScale([utilities[0], ...members.map((j) => utilities[j + 1])], uppers, lowers);
  const { inverse, basis, price } = simplex(scaled, order);
  const { eps, offset, gap, violation, multiplier } = certified(scaled, order, inverse, basis, price);
  const weights = new Array(utilities.length - 1).fill(0);
  let shift = scaled.shift[0];
  members.forEach((j, i) => {
    weights[j] = price[i + 1] * (scaled.spread[0] / scaled.spread[i + 1]);
    shift -= weights[j] * scaled.shift[i + 1];
  });
  const unit = scaled.spread[0];
  const fit = { eps: eps * unit, offset: offset * unit + shift, gap: gap * unit, violation: violation * unit, weights };
  const support = basis.flatMap(([, above], i) => (multiplier[i] > 0 ? [uppers[above]] : []));
  return { ...fit, support, top: fit.offset + fit.eps, bottom: fit.offset - fit.eps };
}

/** Utilities on the rows shifted and scaled to [0, 1], each player by its own range: `upper`, `lower` `[P][rows]`. */
function toUnitScale(players, uppers, lowers) {
  const found = { upper: [], lower: [], shift: [], spread: [] };
  for (const values of players) {
    const rows = [...uppers, ...lowers].map((r) => values[r]);
    const low = Math.min(...rows);
    const high = Math.max(...rows);
    const spread = high > low ? high - low : 1;
    const scale = 1 / spread;
    found.upper.push(uppers.map((r) => (values[r] - low) * scale));
    found.lower.push(lowers.map((r) => (values[r] - low) * scale));
    found.shift.push(low);
    found.spread.push(spread);
  }
  return found;
}

/** Residuals `u_0 - w.u` on the rows, and the largest on L and the smallest on U. */
function residuals({ upper, lower }, price, order) {
  const above = [...upper[0]];
  const below = [...lower[0]];
  for (let i = 1; i < order; i++) {
    const weight = price[i];
    if (weight === 0) continue;
    for (let r = 0; r < above.length; r++) above[r] -= weight * upper[i][r];
    for (let r = 0; r < below.length; r++) below[r] -= weight * lower[i][r];
  }
  return { above, below, top: Math.max(...below), bottom: Math.min(...above) };
}

/** Pivot to the optimum. A basic column is a pair of rows `[in lower, in upper]`, or `[-1, i]`, the slack of row i. */
function simplex(scaled, order) {
  const inverse = Array.from({ length: order }, (_, i) => Float64Array.from({ length: order }, (_, k) => (i === k ? 1 : 0)));
  const basis = inverse.map((_, i) => [-1, i]);
  const price = new Float64Array(order);
  let stalled = 0;
  for (let pivots = 0; pivots <= LIMIT; pivots++) {
    const { above, below, top, bottom } = residuals(scaled, price, order);
    const z = price[0];
    let slack = -1;
    let gain = top - bottom - z;
    for (let i = 0; i < order; i++) if (-price[i] > gain) [gain, slack] = [-price[i], i];
    if (gain <= PIVOT || pivots === LIMIT) break;
    const cautious = stalled > PATIENCE;
    if (cautious) {
      // Bland: the first column that gains at all, slacks before pairs
      slack = price.findIndex((value) => -value > PIVOT);
      if (slack >= 0) gain = -price[slack];
    }
    let entering = [-1, slack];
    if (slack < 0) {
      const wanted = cautious ? bottom + z + PIVOT : top;
      let l = 0;
      while (l < below.length - 1 && below[l] < wanted) l++;
      const least = cautious ? below[l] - z - PIVOT : bottom;
      let u = 0;
      while (u < above.length - 1 && above[u] > least) u++;
      gain = below[l] - above[u] - z;
      entering = [l, u];
    }
    const direction = inverse.map((row) => {
      let rate = row[Math.max(slack, 0)];
      for (let k = 1; slack < 0 && k < order; k++) {
        rate += row[k] * (scaled.lower[k][entering[0]] - scaled.upper[k][entering[1]]);
      }
      return rate;
    });
    const { leaves, step } = leaving(inverse, direction, basis, order, scaled.upper[0].length, cautious);
    if (leaves < 0) break;
    stalled = gain * step > 1e-13 ? 0 : stalled + 1;
    const scale = 1 / direction[leaves];
    for (let k = 0; k < order; k++) {
      inverse[leaves][k] *= scale;
      price[k] += gain * inverse[leaves][k];
    }
    for (let i = 0; i < order; i++) {
      if (i === leaves || direction[i] === 0) continue;
      for (let k = 0; k < order; k++) inverse[i][k] -= direction[i] * inverse[leaves][k];
    }
    basis[leaves] = entering;
  }
  return { inverse, basis, price };
}

/** The row whose basic column the entering one drives out, and how far it gets. */
function leaving(inverse, direction, basis, order, uppers, cautious) {
  let step = Infinity;
  for (let i = 0; i < order; i++) {
    if (direction[i] > PIVOT) step = Math.min(step, Math.max(inverse[i][0], 0) / direction[i]);
  }
  let leaves = -1;
  let best = 0;
  for (let i = 0; i < order; i++) {
    if (!(direction[i] > PIVOT && Math.max(inverse[i][0], 0) <= (step + TIE) * direction[i])) continue;
    const [l, u] = basis[i];
    const score = cautious ? -1 - (l < 0 ? u : order + l * uppers + u) : direction[i];
    if (leaves < 0 || score > best) [leaves, best] = [i, score];
  }
  return { leaves, step };
}

/** The score that the prices attain and what the basis proves, from the utilities alone. */
function certified(scaled, order, inverse, basis, price) {
  for (let i = 1; i < order; i++) price[i] = Math.max(price[i], 0);
  const { top, bottom } = residuals(scaled, price, order);
  const eps = Math.max(0, top - bottom) / 2;
  // eps >= 0 is a constraint: where the fit is exact, zero multipliers already prove it optimal.
  const multiplier = basis.map(([l], i) => (l >= 0 && eps > PIVOT ? Math.max(inverse[i][0], 0) / 2 : 0));
  let mass = multiplier.reduce((sum, value) => sum + value, 0);
  if (mass > 0.5) {
    multiplier.forEach((value, i) => (multiplier[i] = value * (0.5 / mass)));
    mass = 0.5;
  }
  const excess = new Float64Array(order);
  basis.forEach(([l, u], i) => {
    if (multiplier[i] > 0) {
      for (let k = 0; k < order; k++) excess[k] += multiplier[i] * (scaled.lower[k][l] - scaled.upper[k][u]);
    }
  });
  let proved = excess[0];
  let violation = 0;
  for (let k = 1; k < order; k++) {
    if (excess[k] > 0) {
      proved -= price[k] * excess[k];
      violation = Math.max(violation, excess[k]);
    }
  }
  const bound = mass > 0 ? Math.max(0, proved / (2 * mass)) : 0;
  return { eps, offset: (top + bottom) / 2, gap: eps - bound, violation, multiplier };
}
