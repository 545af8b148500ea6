// Tables as CSV, as `equilibrax.io.tables` describes them: a header and a row per state and action; `state`, `action`,
// `user`, perhaps `prior` and `table`; every other column is a provider. Errors name the line and the column.

import { decimal, exact, inSteps, DEFAULT_RESOLUTION } from "./numbers.mjs";
import { alike, fromFractions, problemOf, quoted } from "./market.mjs";

const REQUIRED = ["state", "action", "user"];
const RESERVED = [...REQUIRED, "prior", "table"];
const ROW_NUMBER = /^(|unnamed: ?[0-9]+(\.[0-9]+)*|__index_level_[0-9]+__|level_[0-9]+|\.\.\.[0-9]+|#|index|id|idx|row|row[ _]?(number|nr|no|id|idx|index|names?)|rownames?)$/i;

class CsvError extends Error {}

function refuse(where, expected, got) {
  throw new CsvError(`${where}: expected ${expected}, got ${got}`);
}

/** The markets of a file's bytes, one for every table; throws an Error whose message says what is wrong, and where. */
export function readMarkets(bytes, file) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    refuse(file, "UTF-8 text", "other bytes");
  }
  const records = parse(text, file);
  if (!records.length) refuse(file, "a header with state, action, user", "an empty file");
  const [header, ...rows] = records;
  const columns = header.fields;
  const where = `${file}, line ${header.line}`;
  const providers = checkHeader(columns, where);
  if (!rows.length) refuse(where, "rows after the header", "none");
  const at = Object.fromEntries(columns.map((column, i) => [column, i]));
  const tables = new Map();
  const spellings = {};
  for (const { line, fields } of rows) {
    const here = `${file}, line ${line}`;
    if (fields.length !== columns.length) refuse(here, `${columns.length} fields as in the header`, fields.length);
    const row = { line, state: fields[at.state], action: fields[at.action], table: "table" in at ? fields[at.table] : file.replace(/\.[^.]*$/, "") || file };
    for (const kind of ["table", "state", "action"]) {
      if (!row[kind]) refuse(`${here}: column ${quoted(kind)}`, "a name", "an empty field");
      const known = ((spellings[kind] ??= new Map()).get(alike(row[kind])) ?? row[kind]);
      if (known !== row[kind]) refuse(`${here}: column ${quoted(kind)}`, "one spelling of a name", `${quoted(row[kind])} after ${quoted(known)}`);
      spellings[kind].set(alike(row[kind]), row[kind]);
    }
    row.values = ["user", ...providers].map((column) => number(fields[at[column]], `${here}: column ${quoted(column)}`));
    row.prior = "prior" in at ? fields[at.prior] : "1";
    const weight = number(row.prior, `${here}: column "prior"`, false);
    if (weight.num <= 0n) refuse(`${here}: column "prior"`, "a positive weight", quoted(row.prior));
    if (!tables.has(row.table)) tables.set(row.table, []);
    tables.get(row.table).push(row);
  }
  return [...tables].map(([name, own]) => assembled(name, own, providers, file));
}

/** Records with the numbers of their first lines, without blank lines, and comments at the top. */
function parse(text, file) {
  const records = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const first = line;
    const fields = [];
    let open = true;
    while (open) {
      while (text[at] === " ") at++;
      let field = "";
      if (text[at] === '"') {
        for (at++; ; at++) {
          if (at >= text.length) refuse(`${file}, line ${first}`, "well-formed CSV", "a quote that does not end");
          if (text[at] === '"' && text[at + 1] === '"') at++;
          else if (text[at] === '"') break;
          if (text[at] === "\n") line++;
          field += text[at];
        }
        at++;
        while (text[at] === " ") at++;
        if (at < text.length && !",\r\n".includes(text[at])) refuse(`${file}, line ${first}`, "a comma after a quoted field", quoted(text[at]));
      } else {
        while (at < text.length && !",\r\n".includes(text[at])) field += text[at++];
      }
      fields.push(field.trim());
      open = text[at] === ",";
      if (open) at++;
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    line++;
    const blank = fields.length === 1 && fields[0] === "";
    const comment = !records.length && fields[0].startsWith("#");
    if (!blank && !comment) records.push({ line: first, fields });
  }
  return records;
}

/** The providers among the columns. */
function checkHeader(columns, where) {
  for (const [other, name] of [[";", "semicolons"], ["\t", "tabs"], ["|", "bars"]]) {
    if (columns.join("").split(other).length > columns.length) refuse(where, "names with commas between them", name);
  }
  columns.forEach((column, i) => {
    const here = `${where}: column ${i + 1}`;
    if (columns.indexOf(column) < i) refuse(here, "every name once", `${quoted(column)} again`);
    if (!RESERVED.includes(column) && RESERVED.includes(alike(column))) refuse(here, `${quoted(alike(column))} in lower case`, quoted(column));
    const before = columns.slice(0, i).find((other) => alike(other) === alike(column));
    if (before !== undefined) refuse(here, "one spelling of a name", `${quoted(column)} after ${quoted(before)}`);
    if (!RESERVED.includes(column) && ROW_NUMBER.test(column)) refuse(here, "the name of a provider", column ? `${quoted(column)}, as row numbers are called` : "an empty one");
  });
  for (const name of REQUIRED) if (!columns.includes(name)) refuse(where, `a column ${quoted(name)}`, `only ${columns.map(quoted).join(", ").slice(0, 200)}`);
  const providers = columns.filter((column) => !RESERVED.includes(column));
  if (!providers.length) refuse(where, "at least one column of a provider", "none");
  return providers;
}

function number(text, where, utility = true) {
  const value = exact(text);
  if (!value) refuse(where, "a decimal number such as 0.25 or a ratio such as 2/3", quoted(text));
  if (utility && inSteps(value, DEFAULT_RESOLUTION) === null) refuse(where, "a utility up to 214748", quoted(text));
  return value;
}

function assembled(name, rows, providers, file) {
  const states = [...new Set(rows.map((row) => row.state))];
  const actions = [...new Set(rows.map((row) => row.action))];
  if (states.length * actions.length > 2000) refuse(file, "at most 2,000 pairs of a state and an action", states.length * actions.length);
  const fractions = [0, ...providers].map(() => states.map(() => actions.map(() => null)));
  const prior = new Array(states.length);
  const lines = states.map(() => new Array(actions.length));
  for (const row of rows) {
    const [x, a] = [states.indexOf(row.state), actions.indexOf(row.action)];
    const here = `${file}, line ${row.line}`;
    if (lines[x][a]) refuse(`${here}: state ${quoted(row.state)}`, "every action once", `${quoted(row.action)} again after line ${lines[x][a]}`);
    lines[x][a] = row.line;
    const [before, now] = [exact(prior[x] ?? row.prior), exact(row.prior)];
    if (before.num !== now.num || before.den !== now.den) refuse(`${here}: column "prior"`, `${prior[x]} for state ${quoted(row.state)} as before`, row.prior);
    prior[x] ??= row.prior;
    row.values.forEach((value, p) => (fractions[p][x][a] = value));
  }
  const market = fromFractions({ name, states, actions, providers: [...providers] }, prior, fractions);
  const problem = problemOf(market);
  if (problem) throw new CsvError(`${file}: ${problem}`);
  return market;
}

/** A market as the text of a CSV that reads back to the same market. */
export function writeMarket(market) {
  const field = (text) => (/[",\r\n]|^\s|\s$|^#/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [["state", "action", "prior", "user", ...market.providers]];
  for (const [x, a] of inOrder(market)) {
    const values = [market.user, ...market.utilities].map((rows) => decimal(rows[x][a], market.resolution));
    lines.push([market.states[x], market.actions[a], market.prior[x], ...values]);
  }
  return lines.map((line) => line.map(field).join(",") + "\n").join("");
}

/** Pairs of state and action, so that each first appears after all before it, if that can be. */
function inOrder(market) {
  let left = market.states.flatMap((_, x) => market.actions.flatMap((_, a) => (market.user[x][a] === null ? [] : [[x, a]])));
  const ordered = [];
  const seen = [0, 0];
  while (left.length) {
    const later = [];
    for (const pair of left) {
      if (pair.some((i, k) => i > seen[k])) later.push(pair);
      else {
        ordered.push(pair);
        pair.forEach((i, k) => (seen[k] = Math.max(seen[k], i + 1)));
      }
    }
    if (later.length === left.length) return [...ordered, ...left];
    left = later;
  }
  return ordered;
}
