// The page: its state, every way to change it, and what is drawn again after a change.
//
// The state is `{market, game, mask, axis, order, rule, step}`: all of it is kept for undo, and all of it is in the link.
// What is computed from it is made anew after every change; nothing is stored twice.

import { readMarkets, writeMarket } from "./csv.mjs";
import { drawAll, drawFigure5, drawFigure7 } from "./committees.mjs";
import { byId, html, options, show } from "./dom.mjs";
import { drawDynamics } from "./dynamics.mjs";
import { added, beyond, GAMES, problemOf, removed, solve, utilitiesOf, withAvailable, withName, withUtility, withUtilityText, withWeight } from "./market.mjs";
import { decimal, shown } from "./numbers.mjs";
import { drawSchemes, spotlight } from "./schemes.mjs";
import { membersOf } from "./selection.mjs";
import { drawTable, refreshTable, showSlider, sliderRange } from "./table.mjs";

const given = JSON.parse(byId("given").textContent);
const GAME_NAMES = Object.keys(GAMES);
const BOUND_TOLERANCE = 1e-9;

let markets = given.markets;
let state = fresh(markets[0]);
let view = null;
let cell = firstCell(state.market);
let history = [];
let lastKey = "";
let lastTime = 0;
let timer = 0;

function fresh(market, game = given.game) {
  const providers = market.providers.map((_, j) => j);
  return { market, game, mask: (1 << providers.length) - 1, axis: 0, order: providers, rule: null, step: 0 };
}

function firstCell(market) {
  return [0, 0, market.user[0].findIndex((value) => value !== null)];
}

// --- messages ----------------------------------------------------------------------------------------------------------

function say(text, bad = false) {
  byId("said").textContent = text;
  byId("said").classList.toggle("bad", bad);
  byId("said").setAttribute("role", bad ? "alert" : "status");
}

// --- changes -----------------------------------------------------------------------------------------------------------

/** Take over a change; changes with the same key within a second are undone together. */
function change(parts, key = "") {
  const now = Date.now();
  if (!key || key !== lastKey || now - lastTime > 1000) history.push(state);
  history = history.slice(-200);
  [lastKey, lastTime] = [key, now];
  const structure = parts.market && shapeOf(parts.market) !== shapeOf(state.market);
  state = fitting({ ...state, ...parts });
  update(structure);
}

const shapeOf = (market) => JSON.stringify([market.states, market.actions, market.providers, market.prior, market.user.map((row) => row.map((v) => v === null))]);

/** A changed market, or the sentence that refuses it. */
function changeMarket(market, key) {
  if (typeof market === "string") {
    say(market, true);
    setTimeout(() => drawTable(view)); // with what was there before
    return;
  }
  say("");
  change({ market }, key);
}

/** A state whose parts go together: committees, orders and axes of the providers that there are. */
function fitting(changed) {
  const count = changed.market.providers.length;
  const all = (1 << count) - 1;
  const known = changed.order.filter((j) => j < count);
  const order = [...known, ...Array.from({ length: count }, (_, j) => j).filter((j) => !known.includes(j))];
  const [p, x, a] = cell;
  if (p > count || changed.market.user[x]?.[a] === undefined || changed.market.user[x][a] === null) cell = firstCell(changed.market);
  return { ...changed, mask: changed.mask & all || all, axis: Math.min(changed.axis, count - 1), order };
}

/** Who is who after the removal or addition of a provider. */
function structural(kind, market, i = -1) {
  if (typeof market === "string") return changeMarket(market);
  const parts = { market, rule: null, step: 0 };
  if (kind === "providers" && i >= 0) {
    const low = state.mask & ((1 << i) - 1);
    parts.mask = low | ((state.mask >> (i + 1)) << i);
    parts.order = state.order.filter((j) => j !== i).map((j) => (j > i ? j - 1 : j));
    parts.axis = state.axis > i ? state.axis - 1 : state.axis;
  } else if (kind === "providers") parts.mask = state.mask | (1 << (market.providers.length - 1));
  say("");
  return change(parts);
}

function undo() {
  if (!history.length) return;
  state = history.pop();
  lastKey = "";
  cell = firstCell(state.market);
  stop();
  say("");
  update(true);
}

// --- what is computed --------------------------------------------------------------------------------------------------

function viewOf({ market, game, mask, axis, order, rule, step }) {
  const why = beyond(market, game);
  const found = { market, game, mask, axis, order, why, members: membersOf(mask), result: null };
  found.committeeText = (m) => membersOf(m).map((j) => market.providers[j]).join(", ");
  Object.assign(found, { choosePoint, chooseRule, chooseMask, chooseOrder, chooseStep, light, rename, remove, reweigh, exist });
  if (why) return found;
  const result = solve(market, game);
  const committee = result.committees[mask];
  const chosen = rule ? result.numberOf(rule) : -1;
  const number = Number.isInteger(chosen) && chosen >= 0 && chosen < result.values[0].length ? chosen : -1;
  const utility = (value) => value / result.scale;
  return Object.assign(found, {
    result,
    committee,
    point: number >= 0 ? number : committee.point,
    step: Math.min(step, committee.path.length - 1),
    utility,
    text: (value) => shown(utility(value)),
    kinds: result.kind === "scheme" ? "schemes" : "partitions",
    ruleText: (point) => ruleText(market, result, point),
  });
}

function ruleText(market, result, point) {
  const rule = result.describe(point);
  if (result.kind === "scheme") return rule.map((a, x) => `${market.states[x]}: ${market.actions[a]}`).join(", ");
  const cells = Array.from({ length: Math.max(...rule) + 1 }, (_, label) => market.states.filter((_, x) => rule[x] === label).join(" + "));
  return cells.join(" | ");
}

// --- what is drawn -----------------------------------------------------------------------------------------------------

function update(structure = true) {
  view = viewOf(state);
  byId("name").textContent = state.market.name;
  document.title = `${state.market.name}: a market to explore`;
  byId("undo").disabled = !history.length;
  if (structure) drawTable(view);
  else refreshTable(state.market);
  showSlider(state.market, cell);
  drawCommittee();
  drawNumbers();
  drawPictures();
}

function drawPictures() {
  for (const section of document.querySelectorAll(".picture, .all")) section.hidden = !view.result;
  for (const row of document.querySelectorAll("[data-cell]")) row.classList.remove("lit");
  if (!view.result) return;
  drawSchemes(view);
  drawFigure5(view);
  drawFigure7(view);
  drawDynamics(view);
  drawAll(view);
}

function drawCommittee() {
  const toggles = state.market.providers.map((name, j) => {
    const box = html("input", { type: "checkbox", id: `member-${j}`, checked: Boolean((state.mask >> j) & 1), onchange: () => toggle(j) });
    return html("label", {}, box, name);
  });
  show(byId("committee"), toggles);
  options(byId("game"), GAME_NAMES.map((name) => GAMES[name][0]), GAME_NAMES.indexOf(state.game));
  byId("about").textContent = GAMES[state.game][1];
}

function toggle(j) {
  const mask = state.mask ^ (1 << j);
  if (mask) return change({ mask, rule: null, step: 0 });
  say("expected at least one provider in the committee", true);
  return drawCommittee();
}

function drawNumbers() {
  const { market, result, committee, why } = view;
  if (!result) {
    const more = "Remove states or actions here, or use the program: equilibrax solve takes tables of any size.";
    show(byId("numbers"), html("p", { class: "beyond" }, `${why} ${more}`));
    return;
  }
  const optimum = view.utility(result.optimum);
  const exact = (value) => `${value}/${result.scale}`;
  const box = (name, value, small = "", title = "") => html("div", { title }, html("dt", {}, name), html("dd", {}, value, small ? html("small", {}, small) : null));
  const boxes = [
    box("optimum", shown(optimum), "", exact(result.optimum)),
    box("worst equilibrium", view.text(committee.worst), optimum > view.utility(committee.worst) ? `${shown(optimum - view.utility(committee.worst))} below` : "", exact(committee.worst)),
    box("best equilibrium", view.text(committee.best), "", exact(committee.best)),
    box("equilibria", committee.count.toLocaleString("en"), `of ${result.values[0].length.toLocaleString("en")} ${view.kinds}`),
  ];
  const { fit } = committee;
  if (fit) {
    const bound = optimum - 2 * fit.eps;
    const holds = view.utility(committee.worst) >= bound - BOUND_TOLERANCE;
    boxes.push(
      box("misalignment ε", shown(fit.eps), `${fit.certified ? "certified" : "not certified"}, gap ${fit.gap.toExponential(0)}`),
      box("bound, optimum − 2ε", shown(bound), html("span", { class: holds ? "yes" : "no" }, holds ? "holds" : "does not hold")),
    );
  }
  const most = fit ? Math.max(...fit.weights, 1e-300) : 1;
  const weights = fit && html("table", { class: "plain" }, html("caption", {}, "Weights of the closest combination"), view.members.map((j) => {
    const bar = html("span", { class: "bar" });
    bar.style.width = `${(100 * fit.weights[j]) / most}%`;
    return html("tr", {}, html("th", { scope: "row" }, market.providers[j]), html("td", { class: "number" }, shown(fit.weights[j])), html("td", { class: "bars", "aria-hidden": "true" }, bar));
  }));
  const rule = result.describe(committee.point);
  const says = (x) => (result.kind === "scheme" ? market.actions[rule[x]] : market.states.filter((_, y) => rule[y] === rule[x]).join(" + "));
  const told = html("table", { class: "plain" }, html("caption", {}, result.kind === "scheme" ? "What the worst equilibrium recommends" : "What she learns in the worst equilibrium"), market.states.map((name, x) => html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, says(x)))));
  show(byId("numbers"), html("dl", { class: "figures" }, boxes), weights, told);
}

/** Show something in all pictures at once: a committee (`mask`) or a scheme (`point`), with its text beside the pointer. */
function light(what, event) {
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  spotlight(view, what?.point ?? null);
  const tip = byId("tip");
  tip.hidden = !what;
  if (!what) return;
  const selector = what.mask ? `[data-mask="${what.mask}"]` : `[data-point="${what.point}"]`;
  for (const same of document.querySelectorAll(selector)) same.classList.add("lit");
  const point = what.point ?? view.result.committees[what.mask].point;
  if (what.mask) spotlight(view, point);
  if (view.result.kind === "scheme") {
    view.result.describe(point).forEach((a, x) => document.querySelector(`[data-cell="${x} ${a}"]`)?.classList.add("lit"));
  }
  tip.textContent = what.text;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8))}px`;
}

// --- choices -----------------------------------------------------------------------------------------------------------

function choosePoint(point) {
  change({ rule: view.result.describe(point) }, "rule");
}

function chooseRule(rule) {
  const first = new Map();
  const labels = view.result.kind === "scheme" ? rule : rule.map((label) => first.get(label) ?? (first.set(label, first.size), first.get(label)));
  if (view.result.numberOf(labels) < 0) {
    say("expected states with a common action in every message", true);
    return drawPictures();
  }
  say("");
  return change({ rule: labels }, "rule");
}

const chooseMask = (mask) => change({ mask, rule: null, step: 0 });
const chooseOrder = (order) => change({ order });
const chooseStep = (step) => change({ step }, "step");
// These draw the table anew: after the focus has gone where it was sent, which is found again by its id.
const rename = (kind, i, name) => setTimeout(() => changeMarket(withName(state.market, kind, i, name)));
const reweigh = (x, text) => setTimeout(() => changeMarket(withWeight(state.market, x, text)));

function remove(kind, i) {
  structural(kind, removed(state.market, kind, i), i);
}

function exist(x, a, exists) {
  structural("cells", withAvailable(state.market, x, a, exists));
}

function step(by) {
  const order = Array.from(view.result.values[0].keys()).sort((s, t) => view.result.values[0][s] - view.result.values[0][t] || t - s);
  const at = order.indexOf(view.point) + by;
  if (at >= 0 && at < order.length) choosePoint(order[at]);
}

function stop() {
  clearInterval(timer);
  timer = 0;
  byId("play").setAttribute("aria-pressed", "false");
  byId("play").textContent = "Play";
}

function play() {
  if (timer) return stop();
  const last = view.committee.path.length - 1;
  if (view.step >= last) chooseStep(0);
  byId("play").setAttribute("aria-pressed", "true");
  byId("play").textContent = "Pause";
  timer = setInterval(() => {
    if (!view.result || view.step >= view.committee.path.length - 1) return stop();
    return chooseStep(view.step + 1);
  }, 600);
  return undefined;
}

// --- files and links ---------------------------------------------------------------------------------------------------

async function openFile(file) {
  try {
    const found = readMarkets(new Uint8Array(await file.arrayBuffer()), file.name);
    markets = found;
    stop();
    say(`${file.name}: ${found.length > 1 ? `${found.length} tables` : `${found[0].states.length} states, ${found[0].actions.length} actions, ${found[0].providers.length} providers`}`);
    drawTables();
    change(fresh(found[0], state.game));
    update(true);
  } catch (error) {
    say(error.message, true);
  }
}

function saveFile() {
  const address = URL.createObjectURL(new Blob([writeMarket(state.market)], { type: "text/csv" }));
  const link = html("a", { href: address, download: `${state.market.name.replace(/[^\p{L}\p{N} _.-]+/gu, "_")}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function linkOf(what) {
  const bytes = new TextEncoder().encode(JSON.stringify(what));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return "#market=" + text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The state in a link, checked; null if there is none. Throws an Error if there is one that is damaged. */
function stateOf(fragment) {
  if (!fragment.startsWith("#market=")) return null;
  let found;
  try {
    const text = atob(fragment.slice(8).replaceAll("-", "+").replaceAll("_", "/"));
    found = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (character) => character.charCodeAt(0))));
  } catch {
    throw new Error("link: expected a market, got something else");
  }
  const problem = problemOf(found?.market);
  if (problem) throw new Error(`link: ${problem}`);
  const count = found.market.providers.length;
  const whole = (value, most) => (Number.isInteger(value) && value >= 0 && value <= most ? value : 0);
  const order = Array.isArray(found.order) ? [...new Set(found.order)].filter((j) => whole(j, count - 1) === j) : [];
  const rule = Array.isArray(found.rule) && found.rule.length === found.market.states.length && found.rule.every(Number.isInteger) ? found.rule : null;
  const game = GAME_NAMES.includes(found.game) ? found.game : given.game;
  const { name, resolution, states, actions, providers, prior, user, utilities } = found.market;
  const market = { name, resolution, states, actions, providers, prior, user, utilities };
  return { market, game, mask: whole(found.mask, 2 ** count - 1), axis: whole(found.axis, count - 1), order, rule, step: whole(found.step, 1000) };
}

function makeLink() {
  location.hash = linkOf(state);
  navigator.clipboard?.writeText(location.href).then(
    () => say("The link in the address bar holds everything as it is now; it was copied."),
    () => say("The link in the address bar holds everything as it is now."),
  );
  say("The link in the address bar holds everything as it is now.");
}

function openLink(first) {
  try {
    const found = stateOf(location.hash);
    if (!found || (!first && location.hash === linkOf(state))) return;
    if (!first) history.push(state);
    state = fitting(found);
  } catch (error) {
    say(error.message, true);
  }
  if (!first) update(true);
}

function drawTables() {
  byId("which").hidden = markets.length < 2;
  options(byId("tables"), markets.map((market) => market.name), 0);
}

/** For the page of a dataset: its tables, and a way to open one of them with a committee. */
export const tablesOfPage = () => given.markets;

export function openTable(number, mask) {
  markets = given.markets;
  drawTables();
  byId("tables").value = String(number);
  stop();
  change({ ...fresh(markets[number]), mask });
  update(true);
  byId("market").scrollIntoView();
}

// --- listeners ---------------------------------------------------------------------------------------------------------

function listen() {
  const on = (id, type, what) => byId(id).addEventListener(type, what);
  on("undo", "click", undo);
  on("reset", "click", () => {
    stop();
    say("As it was given.");
    markets = given.markets;
    drawTables();
    change(fresh(markets[0]));
    update(true);
  });
  on("tables", "change", () => change(fresh(markets[Number(byId("tables").value)], state.game)));
  on("open", "change", (event) => event.target.files.length && openFile(event.target.files[0]).finally(() => (event.target.value = "")));
  on("save", "click", saveFile);
  on("link", "click", makeLink);
  byId("link").hidden = location.protocol === "about:"; // inside a notebook there is no address
  on("print", "click", () => print());
  on("game", "change", () => change({ game: GAME_NAMES[Number(byId("game").value)], rule: null, step: 0 }));
  on("axis", "change", () => change({ axis: Number(byId("axis").value) }));
  on("before", "click", () => step(-1));
  on("after", "click", () => step(1));
  on("to-worst", "click", () => choosePoint(view.committee.point));
  on("to-optimum", "click", () => choosePoint(view.result.optimumPoint));
  on("rewind", "click", () => {
    stop();
    chooseStep(0);
  });
  on("play", "click", play);
  on("step", "input", () => chooseStep(Number(byId("step").value)));
  for (const button of document.querySelectorAll("[data-add]")) {
    button.addEventListener("click", () => structural(button.dataset.add, added(state.market, button.dataset.add)));
  }
  byId("all").closest("details").addEventListener("toggle", () => view.result && drawAll(view));

  const cellOf = (target) => target.dataset?.u?.split(" ").map(Number);
  on("table", "focusin", ({ target }) => {
    if (!cellOf(target)) return;
    cell = cellOf(target);
    showSlider(state.market, cell);
  });
  on("table", "change", ({ target }) => {
    const place = cellOf(target);
    if (!place) return;
    changeMarket(withUtilityText(state.market, ...place, target.value));
    target.value = decimal(utilitySteps(place), state.market.resolution);
  });
  on("table", "keydown", (event) => {
    const place = cellOf(event.target);
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!place || !by) return;
    event.preventDefault();
    nudge(place, utilitySteps(place) + by * sliderRange(state.market).step);
    event.target.value = decimal(utilitySteps(place), state.market.resolution);
  });
  on("slide", "input", () => nudge(cell, Number(byId("slide").value)));
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.target.matches?.("input:not([type=range]):not([type=checkbox])")) {
      event.preventDefault();
      undo();
    }
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
  });
  addEventListener("hashchange", () => openLink(false));
  let width = byId("plane").clientWidth;
  new ResizeObserver(() => {
    if (byId("plane").clientWidth === width) return;
    width = byId("plane").clientWidth;
    if (view?.result) drawPictures();
  }).observe(byId("plane"));
}

const utilitySteps = ([p, x, a]) => utilitiesOf(state.market, p)[x][a];

function nudge([p, x, a], steps) {
  const market = withUtility(state.market, p, x, a, steps);
  changeMarket(problemOf(market) ?? market, `u ${p} ${x} ${a}`);
}

// For scripts in the console: the page's own solver, and the present state as it would be in the link.
globalThis.equilibrax = Object.freeze({ solve, problemOf, readMarkets, writeMarket, state: () => JSON.parse(JSON.stringify(state)) });

listen();
drawTables();
openLink(true);
update(true);
