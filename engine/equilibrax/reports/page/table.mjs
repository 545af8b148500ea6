// The table of utilities as a form: a row for every state and action, a column for every player, and a slider for the
// utility that was touched last.

import { byId, html, show } from "./dom.mjs";
import { utilitiesOf } from "./market.mjs";
import { decimal } from "./numbers.mjs";

const playerName = (market, p) => (p === 0 ? "user" : market.providers[p - 1]);

/** The range of the slider and its step, in steps of utility: that of all utilities, and 0 to 1. */
export function sliderRange(market) {
  const all = [market.user, ...market.utilities].flat(2).filter((value) => value !== null);
  const low = Math.min(0, ...all);
  const high = Math.max(market.resolution, ...all);
  return { low, high, step: Math.max(1, Math.round((high - low) / 100)) };
}

/** Draw the whole form; changes are reported through `view`. */
export function drawTable(view) {
  const { market } = view;
  const name = (kind, i, label) =>
    html("input", { class: "name", id: `${kind}-${i}`, value: market[kind][i], "aria-label": label, autocomplete: "off", onchange: (event) => view.rename(kind, i, event.target.value) });
  const remove = (kind, i) =>
    market[kind].length > 1
      ? html("button", { type: "button", id: `remove-${kind}-${i}`, "aria-label": `Remove ${market[kind][i]}`, title: "Remove", onclick: () => view.remove(kind, i) }, "×")
      : null;
  const heads = market.providers.map((provider, j) => {
    const label = `Name of provider ${j + 1}`;
    const field = html("textarea", { class: "name", id: `providers-${j}`, rows: 2, "aria-label": label, onchange: (event) => view.rename("providers", j, event.target.value.replace(/\s+/g, " ")) }, provider);
    return html("th", { scope: "col" }, field, remove("providers", j));
  });
  const head = html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "state and action"), html("th", { scope: "col" }, "user"), heads));

  const bodies = market.states.map((state, x) => {
    const weight = html("input", { class: "weight", id: `weight-${x}`, value: market.prior[x], inputmode: "decimal", "aria-label": `Weight of state ${state}`, onchange: (event) => view.reweigh(x, event.target.value) });
    const missing = market.actions.flatMap((_, a) => (market.user[x][a] === null ? [a] : []));
    const more = html("select", { id: `more-${x}`, class: "add", "aria-label": `Add an action to state ${state}` }, html("option", { value: "" }, "+ action"), missing.map((a) => html("option", { value: String(a) }, market.actions[a])));
    more.addEventListener("change", () => view.exist(x, Number(more.value), true));
    const title = html("tr", {}, html("th", { scope: "rowgroup", colspan: market.providers.length + 2, class: "state" }, name("states", x, `Name of state ${x + 1}`), " weight ", weight, " ", remove("states", x), " ", missing.length ? more : null));
    const rows = market.actions.map((action, a) => {
      if (market.user[x][a] === null) return null;
      const drop = html("button", { type: "button", id: `drop-${x}-${a}`, "aria-label": `Remove ${action} from ${state}`, title: `Remove from ${state}`, onclick: () => view.exist(x, a, false) }, "×");
      const cells = [0, ...market.providers.map((_, j) => j + 1)].map((p) => {
        const label = `Utility of ${playerName(market, p)} for ${action} in ${state}`;
        const field = html("input", { id: `u-${p}-${x}-${a}`, "data-u": `${p} ${x} ${a}`, value: decimal(utilitiesOf(market, p)[x][a], market.resolution), inputmode: "decimal", autocomplete: "off", "aria-label": label });
        return html("td", {}, field);
      });
      return html("tr", { "data-cell": `${x} ${a}` }, html("th", { scope: "row" }, html("input", { class: "name", id: `action-${x}-${a}`, value: action, "aria-label": `Name of action ${a + 1}`, autocomplete: "off", onchange: (event) => view.rename("actions", a, event.target.value) }), drop), cells);
    });
    return html("tbody", {}, title, rows);
  });
  const holder = byId("table");
  holder.classList.toggle("long", market.user.flat().filter((value) => value !== null).length > 40);
  show(holder, html("table", {}, head, bodies));
}

/** Write the utilities into the fields that are there, but not into the one in which somebody types. */
export function refreshTable(market) {
  for (const field of document.querySelectorAll("[data-u]")) {
    const [p, x, a] = field.dataset.u.split(" ").map(Number);
    if (field !== document.activeElement) field.value = decimal(utilitiesOf(market, p)[x][a], market.resolution);
  }
}

/** Show a utility in the slider. */
export function showSlider(market, [p, x, a]) {
  const { low, high, step } = sliderRange(market);
  const slider = byId("slide");
  const value = utilitiesOf(market, p)[x][a];
  Object.assign(slider, { min: String(low), max: String(high), step: String(step) });
  slider.value = String(value);
  byId("slide-name").textContent = `${playerName(market, p)}, ${market.actions[a]} in ${market.states[x]}`;
  byId("slide-value").textContent = decimal(value, market.resolution);
  slider.setAttribute("aria-valuetext", decimal(value, market.resolution));
}
