// Numbers as the engine keeps them: utilities are whole numbers of steps (`resolution` steps are one unit), weights of
// states are whole numbers without a common factor. Texts are read exactly, with whole numbers of any size, and rounded
// once. Every sum that decides an equilibrium stays below 2^53, so a Number holds it exactly.

export const INT32_MAX = 2147483647;
export const MAX_VALUE = 2 ** 41; // the largest |value| of a rule, as in the engine
export const DEFAULT_RESOLUTION = 10000;
const WEIGHT_STEPS = 1000000n;
const SMALL = 10000n; // the largest denominator of a ratio that is taken for what is meant

const NUMBER = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
const RATIO = /^([+-]?[0-9]{1,18})\/([0-9]{1,18})$/;

/** A decimal such as 0.25 or a ratio such as 2/3 as `{num, den}` in lowest terms; null for any other text. */
export function exact(text) {
  const ratio = RATIO.exec(text);
  if (ratio) return BigInt(ratio[2]) > 0n ? fraction(BigInt(ratio[1]), BigInt(ratio[2])) : null;
  const found = NUMBER.exec(text);
  if (!found || !(found[2] || found[3])) return null;
  const [, sign, whole, part = "", power = "0"] = found;
  const shift = Number(power) - part.length;
  const digits = BigInt(whole + part) * (sign === "-" ? -1n : 1n);
  return shift >= 0 ? fraction(digits * 10n ** BigInt(shift), 1n) : fraction(digits, 10n ** BigInt(-shift));
}

function fraction(num, den) {
  const common = gcd(num < 0n ? -num : num, den) || 1n;
  return { num: num / common, den: den / common };
}

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** A fraction in steps, rounded once, half to even; null if it does not fit 32 bits. */
export function inSteps({ num, den }, resolution) {
  const steps = rounded(num * BigInt(resolution), den);
  return steps > BigInt(INT32_MAX) || steps < -BigInt(INT32_MAX) ? null : Number(steps);
}

function rounded(num, den) {
  let floor = num / den;
  let rest = num % den;
  if (rest < 0n) [floor, rest] = [floor - 1n, rest + den];
  const twice = 2n * rest;
  return twice > den || (twice === den && floor % 2n !== 0n) ? floor + 1n : floor;
}

/** The smallest power of ten of at least 10,000 that represents all fractions in 32 bits; else 10,000. */
export function resolutionFor(fractions) {
  for (let steps = DEFAULT_RESOLUTION; steps <= INT32_MAX; steps *= 10) {
    if (fractions.some((f) => inSteps(f, steps) === null)) break;
    if (fractions.every((f) => (f.num * BigInt(steps)) % f.den === 0n)) return steps;
  }
  return DEFAULT_RESOLUTION;
}

/** Whole numbers in the proportions of positive fractions, as the engine's `whole_weights`; an error's text if none. */
export function wholeWeights(fractions) {
  let counts = lowestTerms(fractions);
  const most = BigInt(INT32_MAX);
  if (counts.every((count) => count <= most)) return counts.map(Number);
  if (fractions.every((f) => f.den === 1n)) return `expected weights in ratios of whole numbers up to ${INT32_MAX}`;
  const common = fractions.reduce((den, f) => lcm(den, f.den), 1n);
  const total = fractions.reduce((sum, f) => sum + (f.num * common) / f.den, 0n);
  const shares = fractions.map((f) => fraction((f.num * common) / f.den, total));
  const near = shares.map(limited);
  const simple = shares.every((share, i) => close(share, near[i])) && sumsToOne(near);
  if (simple && near.reduce((den, f) => lcm(den, f.den), 1n) <= WEIGHT_STEPS) counts = lowestTerms(near);
  else counts = shares.map((f) => rounded(f.num * WEIGHT_STEPS, f.den));
  if (counts.some((count) => count === 0n)) return "expected shares of at least 0.000001";
  return lowestTerms(counts.map((count) => fraction(count, 1n))).map(Number);
}

function lcm(a, b) {
  return (a / gcd(a, b)) * b;
}

function lowestTerms(fractions) {
  const common = fractions.reduce((den, f) => lcm(den, f.den), 1n);
  const counts = fractions.map((f) => (f.num * common) / f.den);
  const divisor = counts.reduce(gcd, 0n) || 1n;
  return counts.map((count) => count / divisor);
}

function close(a, b) {
  const apart = a.num * b.den - b.num * a.den;
  return (apart < 0n ? -apart : apart) * 10n ** 12n <= a.den * b.den;
}

function sumsToOne(fractions) {
  const common = fractions.reduce((den, f) => lcm(den, f.den), 1n);
  return fractions.reduce((sum, f) => sum + (f.num * common) / f.den, 0n) === common;
}

/** The nearest fraction with a small denominator, by continued fractions. */
function limited({ num, den }) {
  if (den <= SMALL) return { num, den };
  let [p0, q0, p1, q1, n, d] = [0n, 1n, 1n, 0n, num, den];
  for (;;) {
    const a = n / d;
    if (q0 + a * q1 > SMALL) break;
    [p0, q0, p1, q1, n, d] = [p1, q1, p0 + a * p1, q0 + a * q1, d, n - a * d];
  }
  const k = (SMALL - q0) / q1;
  const other = { num: p0 + k * p1, den: q0 + k * q1 };
  return 2n * d * (q0 + k * q1) <= den ? { num: p1, den: q1 } : other;
}

/** Steps as a decimal, or as a ratio where the resolution is no power of ten. */
export function decimal(steps, resolution) {
  const places = String(resolution).length - 1;
  if (resolution !== 10 ** places) {
    const { num, den } = fraction(BigInt(steps), BigInt(resolution));
    return den === 1n ? String(num) : `${num}/${den}`;
  }
  const digits = String(Math.abs(steps)).padStart(places + 1, "0");
  const part = places ? digits.slice(-places).replace(/0+$/, "") : "";
  return (steps < 0 ? "-" : "") + digits.slice(0, digits.length - places) + (part && "." + part);
}

/** A number for people: up to six decimals, without zeros at the end. */
export function shown(value, decimals = 6) {
  const text = value.toFixed(decimals).replace(/\.?0+$/, "");
  return text === "-0" ? "0" : text.replace("-", "−");
}
