// A market as the page holds it, and every change that can be made to it: pure functions, old market in, new market out.
//
// A market is `{name, resolution, states [X], actions [A], providers [K], prior [X] texts, user [X][A], utilities
// [K][X][A]}`; utilities are whole numbers of steps, null where an action does not exist in a state. What comes from a
// file, a link or the field of a form is checked here, and refused with a sentence.

import { exact, inSteps, INT32_MAX, MAX_VALUE, resolutionFor, wholeWeights } from "./numbers.mjs";
import { countSchemes, MAX_SCHEMES, solveSelection } from "./selection.mjs";
import { MAX_STATES, solveJoint } from "./joint.mjs";

export const MAX_PROVIDERS = 6;
export const MAX_ACTIONS = 20;

/** The games that the page solves: what they are called, and a word about each. */
export const GAMES = {
  incumbent: ["Selection, ties to the incumbent", "The user takes the best provider and follows it; a deviation must be strictly better for her (Section 7)."],
  lowest_index: ["Selection, ties to the lowest index", "The user takes the best provider and follows it; the first provider of the committee wins ties (Definition 16)."],
  joint: ["Joint game", "The user hears all providers at once and takes the best action for what they reveal together (Definition 7)."],
};

/** What is wrong with something that should be a market, or null. */
export function problemOf(market) {
  const texts = (list) => Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === "string" && name.trim());
  if (!market || typeof market !== "object" || typeof market.name !== "string") return "expected a market";
  for (const kind of ["states", "actions", "providers"]) {
    if (!texts(market[kind])) return `${kind}: expected names, none of them empty`;
    const twice = repeated(market[kind]);
    if (twice) return `${kind}: expected different names, got ${quoted(twice)} again`;
  }
  const { resolution, states, actions, providers } = market;
  if (!Number.isInteger(resolution) || resolution < 1 || resolution > INT32_MAX) return "resolution: expected a whole number of steps";
  if (providers.length > MAX_PROVIDERS) return `expected at most ${MAX_PROVIDERS} providers, got ${providers.length}`;
  const table = (rows) => Array.isArray(rows) && rows.length === states.length && rows.every((row) => Array.isArray(row) && row.length === actions.length);
  const whole = (value) => Number.isInteger(value) && Math.abs(value) <= INT32_MAX;
  const players = [market.user, ...(Array.isArray(market.utilities) ? market.utilities : [])];
  if (players.length !== providers.length + 1 || !players.every(table)) return "expected a utility for every player, state and action";
  for (const [x, row] of market.user.entries()) {
    if (row.every((value) => value === null)) return `state ${quoted(states[x])}: expected at least one action`;
    for (const [a, value] of row.entries()) {
      if (value !== null && !players.every((rows) => whole(rows[x][a]))) return "utilities: expected whole numbers of steps, of 32 bits";
    }
  }
  if (!Array.isArray(market.prior) || market.prior.length !== states.length || !market.prior.every((text) => typeof text === "string")) {
    return "prior: expected a weight for every state";
  }
  const weights = weightsOf(market);
  return typeof weights === "string" ? weights : tooLarge(market, weights);
}

/** The name that comes twice, up to case, blanks and Unicode normalization. */
export function repeated(names) {
  const known = new Set();
  return names.find((name) => known.size === known.add(alike(name)).size);
}

/** The same text for names that are easily taken for each other. */
export function alike(name) {
  return name.normalize("NFKC").replace(/\p{Cf}/gu, "").toLowerCase().trim().replace(/\s+/gu, " ");
}

export const quoted = (text) => JSON.stringify(text.length > 60 ? text.slice(0, 57) + "..." : text);

/** The states' whole weights, or a sentence that says why there are none. */
export function weightsOf(market) {
  const fractions = market.prior.map((text) => exact(text.trim()));
  const bad = fractions.findIndex((f) => f === null || f.num <= 0n);
  if (bad >= 0) return `weight of state ${quoted(market.states[bad])}: expected a positive number such as 0.5 or 2/3, got ${quoted(market.prior[bad])}`;
  const weights = wholeWeights(fractions);
  return typeof weights === "string" ? `weights: ${weights}` : weights;
}

function tooLarge(market, weights) {
  let worst = 0;
  for (const rows of [market.user, ...market.utilities]) {
    worst = Math.max(worst, rows.reduce((sum, row, x) => sum + weights[x] * Math.max(...row.map((v, a) => (market.user[x][a] === null ? 0 : Math.abs(v)))), 0));
  }
  return worst > MAX_VALUE ? "utilities and weights: expected sums over states of weight x |utility| x resolution up to 2^41" : null;
}

/** Why a market is too large for the browser, in a sentence; null if it is not. */
export function beyond(market, game) {
  if (game === "joint") {
    if (market.states.length <= MAX_STATES) return null;
    return `The joint game is solved here up to ${MAX_STATES} states; this market has ${market.states.length}.`;
  }
  const schemes = countSchemes(market);
  if (schemes <= MAX_SCHEMES) return null;
  return `Selection is solved here up to ${MAX_SCHEMES.toLocaleString("en")} schemes; this market has ${schemes.toLocaleString("en")}.`;
}

/** Solve a market; game is one of `GAMES`. The result also has `scale`: values divided by it are expected utilities. */
export function solve(market, game) {
  const weights = weightsOf(market);
  const result = game === "joint" ? solveJoint(market, weights) : solveSelection(market, weights, game);
  return { ...result, scale: weights.reduce((sum, weight) => sum + weight, 0) * market.resolution };
}

// --- changes: each returns a new market, or a sentence that says why not -----------------------------------------------

const copy = (market) => JSON.parse(JSON.stringify(market));
/** The utilities of a player, the user first: `[X][A]`. */
export const utilitiesOf = (market, player) => (player === 0 ? market.user : market.utilities[player - 1]);
const orProblem = (market) => problemOf(market) ?? market;

/** A utility from the text of a field, in finer steps where that represents it and can be held; else rounded once. */
export function withUtilityText(market, player, x, a, text) {
  const value = exact(text.trim());
  if (!value) return `expected a number such as 0.25 or 2/3, got ${quoted(text)}`;
  const isWhole = (steps) => (value.num * BigInt(steps)) % value.den === 0n;
  const finer = Array.from({ length: 10 }, (_, n) => market.resolution * 10 ** n).find(isWhole) ?? market.resolution;
  for (const resolution of [finer, market.resolution]) {
    const steps = inSteps(value, resolution);
    const changed = steps === null ? null : withUtility(inResolution(market, resolution), player, x, a, steps);
    if (changed && !problemOf(changed)) return changed;
  }
  return `expected a utility that fits 32 bits in steps of 1/${market.resolution}, got ${quoted(text)}`;
}

function inResolution(market, resolution) {
  const times = resolution / market.resolution;
  const all = (rows) => rows.map((row) => row.map((value) => (value === null ? null : value * times)));
  return { ...market, resolution, user: all(market.user), utilities: market.utilities.map(all) };
}

/** A utility in steps. */
export function withUtility(market, player, x, a, steps) {
  const changed = copy(market);
  utilitiesOf(changed, player)[x][a] = steps;
  return changed;
}

export function withWeight(market, x, text) {
  const changed = copy(market);
  changed.prior[x] = text.trim();
  return orProblem(changed);
}

/** Another name; kind is "states", "actions" or "providers". */
export function withName(market, kind, i, name) {
  const changed = copy(market);
  changed[kind][i] = name.trim();
  return orProblem(changed);
}

/** An action added to a state, with utilities of zero, or taken from it. */
export function withAvailable(market, x, a, exists) {
  const changed = copy(market);
  for (const rows of [changed.user, ...changed.utilities]) rows[x][a] = exists ? 0 : null;
  return orProblem(changed);
}

function freeName(names, kind) {
  let n = names.length + 1;
  while (names.some((name) => alike(name) === `${kind} ${n}`)) n++;
  return `${kind} ${n}`;
}

/** One more provider, who wants what the user wants; state, like the last; or action, worth nothing to anybody. */
export function added(market, kind) {
  const changed = copy(market);
  const most = { providers: MAX_PROVIDERS, states: Math.max(MAX_STATES, market.states.length), actions: MAX_ACTIONS }[kind];
  if (market[kind].length >= most) return `expected at most ${most} ${kind} in this page`;
  changed[kind].push(freeName(market[kind], kind.slice(0, -1)));
  if (kind === "providers") changed.utilities.push(copy(changed.user));
  if (kind === "states") {
    changed.prior.push(changed.prior.at(-1));
    for (const rows of [changed.user, ...changed.utilities]) rows.push([...rows.at(-1)]);
  }
  if (kind === "actions") for (const rows of [changed.user, ...changed.utilities]) rows.forEach((row) => row.push(0));
  return orProblem(changed);
}

export function removed(market, kind, i) {
  if (market[kind].length === 1) return `expected at least one of the ${kind}`;
  const changed = copy(market);
  changed[kind].splice(i, 1);
  if (kind === "providers") changed.utilities.splice(i, 1);
  if (kind === "states") changed.prior.splice(i, 1);
  for (const rows of [changed.user, ...changed.utilities]) {
    if (kind === "states") rows.splice(i, 1);
    if (kind === "actions") rows.forEach((row) => row.splice(i, 1));
  }
  return orProblem(changed);
}

/** A market from exact numbers: fractions `[P][X][A]`, null where an action does not exist. */
export function fromFractions(names, prior, fractions) {
  const resolution = resolutionFor(fractions.flat(2).filter((f) => f !== null));
  const steps = fractions.map((rows) => rows.map((row) => row.map((f) => (f === null ? null : inSteps(f, resolution)))));
  return { ...names, resolution, prior, user: steps[0], utilities: steps.slice(1) };
}
