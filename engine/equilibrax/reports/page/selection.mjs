// The best-provider selection game of one table (2509.15090, Section 7 and Definition 16), all committees at once.
//
// A scheme f is a rule from states to actions. Provider j can deviate from f if some g is strictly better for the user
// and for j; under `lowest_index` the committee's lowest provider wins the user's ties, so for it g need only be as good
// for the user. f is an equilibrium of a committee of two or more iff nobody in it can deviate; a committee of one posts
// any of its own optima. So stability is a bit for every scheme and provider, and equilibria are counted by patterns of
// bits. All values are sums of whole numbers below 2^53: exact.
//
// Letters: K providers, X states, A actions, S schemes; player 0 is the user, player j + 1 is provider j.

import { misalignment } from "./misalignment.mjs";

export const MAX_SCHEMES = 6561;

/** How many schemes a table has. */
export function countSchemes(market) {
  return market.user.reduce((product, row) => product * row.filter((value) => value !== null).length, 1);
}

/** Contributions `[P][X][A]`: weight x utility; null where the action does not exist. */
export function contributionsOf(market, weights) {
  return [market.user, ...market.utilities].map((rows) =>
    rows.map((row, x) => row.map((value, a) => (market.user[x][a] === null ? null : value * weights[x]))),
  );
}

/** All schemes in lexicographic order: `actions` `[X][n]` that exist, `values` `[P]` of `[S]`, `order` for the user. */
function listSchemes(contributions) {
  const actions = contributions[0].map((row) => row.flatMap((value, a) => (value === null ? [] : [a])));
  const values = contributions.map((rows) => {
    let sums = [0];
    rows.forEach((row, x) => (sums = sums.flatMap((sum) => actions[x].map((a) => sum + row[a]))));
    return Float64Array.from(sums);
  });
  const order = Array.from(values[0].keys());
  order.sort((f, g) => values[0][g] - values[0][f] || f - g);
  return { actions, values, order };
}

/** The scheme of that number: `[X]` actions. */
function schemeOf(actions, number) {
  const scheme = new Array(actions.length);
  for (let x = actions.length - 1; x >= 0; x--) {
    scheme[x] = actions[x][number % actions[x].length];
    number = Math.floor(number / actions[x].length);
  }
  return scheme;
}

/**
 * For every scheme which providers cannot deviate (`strict`), and which cannot even if they win ties (`weak`); and every
 * provider's best response to every value of the user: `above[j][s]` among schemes that are strictly better for her than
 * s, `from[j][s]` among those at least as good; -1 for none. Of equally good ones the best for her, then the first.
 */
function responses({ values, order }) {
  const [user, ...providers] = values;
  const strict = new Int32Array(order.length);
  const weak = new Int32Array(order.length);
  const above = [];
  const from = [];
  providers.forEach((mine, j) => {
    above.push(new Int32Array(order.length));
    from.push(new Int32Array(order.length));
    let best = -1;
    for (let start = 0; start < order.length; ) {
      let end = start;
      let next = best;
      while (end < order.length && user[order[end]] === user[order[start]]) {
        if (next < 0 || mine[order[end]] > mine[next]) next = order[end];
        end++;
      }
      for (let i = start; i < end; i++) {
        const s = order[i];
        above[j][s] = best;
        from[j][s] = next;
        if (best < 0 || mine[s] >= mine[best]) strict[s] |= 1 << j;
        if (mine[s] >= mine[next]) weak[s] |= 1 << j;
      }
      best = next;
      start = end;
    }
  });
  return { strict, weak, above, from };
}

/** What a provider alone posts: its optima, of which the worst for the user (the first of those) and their number. */
function monopoly(contributions, j) {
  const found = { worst: 0, best: 0, count: 1, scheme: [], attained: [] };
  contributions[0].forEach((user, x) => {
    const own = contributions[j + 1][x];
    const top = Math.max(...own.filter((value) => value !== null));
    const ties = own.flatMap((value, a) => (value === top ? [a] : []));
    const low = Math.min(...ties.map((a) => user[a]));
    found.worst += low;
    found.best += Math.max(...ties.map((a) => user[a]));
    found.count *= ties.length;
    found.scheme.push(ties.find((a) => user[a] === low));
    found.attained.push(ties);
  });
  return found;
}

/** Sets of schemes by their bits: the worst for the user, how many, and what they attain, as flags of `[X A]` outcomes. */
function patterns({ actions, order, values }, { strict, weak }, lowestIndex, width) {
  const found = new Map();
  const providers = values.length - 1;
  order.forEach((s) => {
    const key = strict[s] + (lowestIndex ? weak[s] * 2 ** providers : 0);
    let cell = found.get(key);
    if (!cell) {
      cell = { strict: strict[s], weak: weak[s], worst: s, count: 0, attained: new Uint8Array(actions.length * width) };
      found.set(key, cell);
    }
    if (values[0][s] < values[0][cell.worst]) cell.worst = s; // the first of the last run of ties
    cell.count += 1;
    let rest = s;
    for (let x = actions.length - 1; x >= 0; x--) {
      cell.attained[x * width + actions[x][rest % actions[x].length]] = 1;
      rest = Math.floor(rest / actions[x].length);
    }
  });
  return [...found.values()];
}

/** Provider numbers in a committee. */
export function membersOf(mask) {
  const members = [];
  for (let j = 0; mask >> j; j++) if ((mask >> j) & 1) members.push(j);
  return members;
}

/**
 * Best-response dynamics (Section 7.1): everybody posts its monopoly scheme and the user selects; in turn, a provider
 * that is not selected moves to its best scheme among those better for it and for the user. A path of
 * `{point, provider}`, first who is selected at the start.
 */
function dynamics(user, found, starts, mask, lowestIndex) {
  let selected = -1;
  let s = 0;
  for (const j of membersOf(mask)) {
    if (selected < 0 || user[starts[j]] > user[s]) [selected, s] = [j, starts[j]];
  }
  const path = [{ point: s, provider: selected }];
  for (let turn = 0; ; ) {
    let unstable = ~found.strict[s];
    if (lowestIndex) unstable |= ((1 << selected) - 1) & ~found.weak[s];
    const able = membersOf(mask & unstable & ~(1 << selected));
    if (!able.length) return path;
    const deviator = able.find((j) => j >= turn) ?? able[0];
    s = (lowestIndex && deviator < selected ? found.from : found.above)[deviator][s];
    selected = deviator;
    turn = deviator + 1;
    path.push({ point: s, provider: deviator });
  }
}

/**
 * Solve a table for all committees.
 *
 * Returns `{optimum, values [P][S], describe, stable, deviations, committees}`: values are whole numbers; `committees`
 * has for every bitmask the `worst` and `best` value of the user, the `count` of equilibria, the number of the `worst`
 * scheme (`point`), the `path` of the dynamics and the `fit`.
 */
export function solveSelection(market, weights, tieBreak) {
  const lowestIndex = tieBreak === "lowest_index";
  const contributions = contributionsOf(market, weights);
  const width = market.actions.length;
  const listed = listSchemes(contributions);
  const found = responses(listed);
  const cells = patterns(listed, found, lowestIndex, width);
  const { values, actions, order } = listed;
  const providers = values.length - 1;
  const optimum = values[0][order[0]];
  const exists = (scheme) => scheme.length === actions.length && scheme.every((a, x) => actions[x].includes(a));
  const numberOf = (scheme) =>
    exists(scheme) ? scheme.reduce((number, a, x) => number * actions[x].length + actions[x].indexOf(a), 0) : -1;

  const alone = market.utilities.map((_, j) => monopoly(contributions, j));
  const starts = values.slice(1).map((mine) => mine.indexOf(Math.max(...mine))); // the first of everybody's optima
  const committees = [null];
  const attained = [null];
  for (let mask = 1; mask < 1 << providers; mask++) {
    const members = membersOf(mask);
    const flags = new Uint8Array(market.states.length * width);
    let here;
    if (members.length === 1) {
      const { worst, best, count, scheme, attained: ties } = alone[members[0]];
      ties.forEach((own, x) => own.forEach((a) => (flags[x * width + a] = 1)));
      here = { worst, best, count, point: numberOf(scheme) };
    } else {
      const lowest = lowestIndex ? 1 << members[0] : 0;
      here = { worst: Infinity, best: optimum, count: 0, point: -1 };
      for (const cell of cells) {
        if ((cell.strict & mask) !== mask || (cell.weak & lowest) !== lowest) continue;
        here.count += cell.count;
        const value = values[0][cell.worst];
        if (value < here.worst || (value === here.worst && cell.worst < here.point)) {
          [here.worst, here.point] = [value, cell.worst];
        }
        cell.attained.forEach((flag, outcome) => (flags[outcome] |= flag));
      }
    }
    here.path = dynamics(values[0], found, starts, mask, lowestIndex);
    committees.push(here);
    attained.push(flags);
  }

  const optimal = new Uint8Array(market.states.length * width);
  contributions[0].forEach((row, x) => {
    const top = Math.max(...row.filter((value) => value !== null));
    row.forEach((value, a) => (optimal[x * width + a] = value === top ? 1 : 0));
  });
  misalignment(market, attained, optimal).forEach((fit, mask) => mask && (committees[mask].fit = fit));

  /** Who of a committee can deviate from scheme s, and to what is best for it: `[{provider, point}]`. */
  const deviations = (s, mask) => {
    const members = membersOf(mask);
    if (members.length === 1) {
      const [j] = members;
      return values[j + 1][s] < values[j + 1][starts[j]] ? [{ provider: j, point: starts[j] }] : [];
    }
    return members.flatMap((j) => {
      const ties = lowestIndex && j === members[0];
      return ((ties ? found.weak : found.strict)[s] >> j) & 1 ? [] : [{ provider: j, point: (ties ? found.from : found.above)[j][s] }];
    });
  };
  return {
    kind: "scheme",
    optimum,
    optimumPoint: order[0],
    values,
    committees,
    actions,
    numberOf,
    describe: (s) => schemeOf(actions, s),
    stable: (s, mask) => deviations(s, mask).length === 0,
    deviations,
  };
}
