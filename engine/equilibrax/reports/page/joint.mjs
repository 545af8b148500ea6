// The game in which the user hears all providers (2509.15090, Definitions 7 and 12), for one table and best response.
//
// A provider's rule is a partition of the states; the user learns the common refinement and takes the best action in
// every cell (ties: the lowest). A provider can only make what is heard finer, so a partition is an equilibrium of two or
// more iff nobody gains by splitting one of its cells: a bit for every cell and provider. A committee of one posts any of
// its best partitions. Values are sums of whole numbers below 2^53: exact.
//
// State x is bit x of a set. A partition is a tuple of sets in the order of their lowest states.

import { contributionsOf, membersOf } from "./selection.mjs";

export const MAX_STATES = 8;

/** What every set of states is worth as one cell, `[P][2^X]`; minus infinity where no action exists in all of them. */
function cellValues(contributions) {
  const states = contributions[0].length;
  const size = 1 << states;
  const values = contributions.map(() => new Float64Array(size));
  for (let set = 1; set < size; set++) {
    const inside = membersOf(set);
    let chosen = -1;
    let top = -Infinity;
    contributions[0][0].forEach((_, a) => {
      if (inside.some((x) => contributions[0][x][a] === null)) return;
      const sum = inside.reduce((total, x) => total + contributions[0][x][a], 0);
      if (sum > top) [chosen, top] = [a, sum];
    });
    contributions.forEach((rows, p) => {
      values[p][set] = chosen < 0 ? -Infinity : inside.reduce((total, x) => total + rows[x][chosen], 0);
    });
  }
  return values;
}

/** What each set is worth in its best partition, `[2^X]`: a subset program over the cells of a set's lowest state. */
function bestSplits(value) {
  const best = new Float64Array(value.length);
  for (let set = 1; set < value.length; set++) {
    best[set] = -Infinity;
    const lowest = set & -set;
    const others = set ^ lowest;
    for (let more = others; ; more = (more - 1) & others) {
      best[set] = Math.max(best[set], value[lowest | more] + best[others ^ more]);
      if (!more) break;
    }
  }
  return best;
}

/** Every set's cells with its lowest state, in ascending order. */
function cellsOf(set) {
  const lowest = set & -set;
  const others = set ^ lowest;
  const found = [];
  for (let more = 0; ; more = (more - others) & others) {
    found.push(lowest | more);
    if (more === others) return found;
  }
}

/** All partitions of the states into cells that have an action, lexicographically by their tuples. */
function partitions(states, allowed) {
  const found = [];
  const extend = (rest, cells) => {
    if (!rest) found.push(cells);
    else for (const cell of cellsOf(rest)) if (allowed[cell]) extend(rest ^ cell, [...cells, cell]);
  };
  extend((1 << states) - 1, []);
  return found;
}

/** Solve a table for all committees; the result has the form of `solveSelection`, without fits. */
export function solveJoint(market, weights) {
  const contributions = contributionsOf(market, weights);
  const states = market.states.length;
  const cells = cellValues(contributions);
  const allowed = cells[0].map((value) => (value > -Infinity ? 1 : 0));
  allowed[0] = 0;
  const listed = partitions(states, allowed);
  const numbers = new Map(listed.map((partition, n) => [partition.join(), n]));
  const values = cells.map((value) => Float64Array.from(listed, (partition) => partition.reduce((sum, s) => sum + value[s], 0)));
  const best = cells.slice(1).map(bestSplits);
  const bits = new Int32Array(1 << states);
  best.forEach((own, j) => own.forEach((worth, s) => (bits[s] |= allowed[s] && cells[j + 1][s] >= worth ? 1 << j : 0)));
  const strict = listed.map((partition) => partition.reduce((all, s) => all & bits[s], -1));
  const full = (1 << states) - 1;

  /** The best partition of a set for a provider, and of several the first. */
  const refined = (j, set) => {
    const found = [];
    while (set) {
      const rest = set;
      const cell = cellsOf(rest).find((s) => (bits[s] >> j) & 1 && cells[j + 1][s] + best[j][rest ^ s] >= best[j][rest]);
      found.push(cell);
      set ^= cell;
    }
    return found;
  };
  const inOrder = (partition) => [...partition].sort((s, t) => (s & -s) - (t & -t));
  const refine = (j, partition) => inOrder(partition.flatMap((cell) => refined(j, cell)));
  const hear = (posted) => {
    let heard = [full];
    for (const partition of posted) heard = heard.flatMap((cell) => partition.map((s) => s & cell).filter(Boolean));
    return inOrder(heard);
  };
  const worth = (j, partition) => partition.reduce((sum, s) => sum + cells[j + 1][s], 0);

  /** In turn, whoever gains by refining what the others say does so. */
  const dynamics = (mask) => {
    const members = membersOf(mask);
    const posted = new Map(members.map((j) => [j, refined(j, full)]));
    let heard = hear(posted.values());
    const path = [{ point: numbers.get(heard.join()), provider: -1 }];
    for (let turn = 0, quiet = 0; quiet < members.length && path.length < 1000; turn = (turn + 1) % members.length) {
      const j = members[turn];
      const others = hear(members.filter((i) => i !== j).map((i) => posted.get(i)));
      const reach = refine(j, others);
      quiet += 1;
      if (worth(j, reach) > worth(j, heard)) {
        posted.set(j, reach);
        heard = hear(posted.values());
        path.push({ point: numbers.get(heard.join()), provider: j });
        quiet = 0;
      }
    }
    return path;
  };

  const stable = (n, mask) => {
    const members = membersOf(mask);
    if (members.length === 1) return values[members[0] + 1][n] >= best[members[0]][full];
    return (strict[n] & mask) === mask;
  };
  const committees = [null];
  for (let mask = 1; mask < 1 << market.utilities.length; mask++) {
    const here = { worst: Infinity, best: -Infinity, count: 0, point: -1, path: dynamics(mask) };
    listed.forEach((_, n) => {
      if (!stable(n, mask)) return;
      here.count += 1;
      here.best = Math.max(here.best, values[0][n]);
      if (values[0][n] < here.worst) [here.worst, here.point] = [values[0][n], n];
    });
    committees.push(here);
  }

  /** Who gains by refining a partition, and its best refinement; alone, by any other partition. */
  const deviations = (n, mask) => {
    const members = membersOf(mask);
    return members.flatMap((j) => {
      const to = members.length === 1 ? refined(j, full) : refine(j, listed[n]);
      return worth(j, to) > worth(j, listed[n]) ? [{ provider: j, point: numbers.get(to.join()) }] : [];
    });
  };
  const optimum = contributions[0].reduce((sum, row) => sum + Math.max(...row.filter((value) => value !== null)), 0);
  const labels = (n) => {
    const found = new Array(states);
    listed[n].forEach((cell, label) => membersOf(cell).forEach((x) => (found[x] = label)));
    return found;
  };
  const top = values[0].indexOf(Math.max(...values[0]));
  return {
    kind: "partition",
    optimum,
    optimumPoint: top,
    values,
    committees,
    describe: labels,
    numberOf: (label) => listed.findIndex((_, n) => labels(n).join() === label.join()),
    stable,
    deviations,
  };
}
