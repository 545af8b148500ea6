// All committees at once: Figure 5 of the paper (misalignment against the worst equilibrium), Figure 7 (the worst
// equilibrium as providers enter, in the reader's order), and the numbers of all of them as a table.

import { chart, line, outline, padded, shortened, spread } from "./charts.mjs";
import { byId, html, show, svg } from "./dom.mjs";
import { shown } from "./numbers.mjs";
import { membersOf } from "./selection.mjs";

const sizeOf = (mask) => membersOf(mask).length;

/** A mark for a committee, which can be pointed at and clicked. */
function mark(view, mask, [x, y], r = 5.5) {
  const size = sizeOf(mask);
  const here = view.result.committees[mask];
  const fit = here.fit ? `, misalignment ${shown(here.fit.eps)}` : "";
  const text = `${view.committeeText(mask)}\nworst ${view.text(here.worst)}${fit}`;
  return svg("path", {
    class: `mark k${size}`,
    d: outline(size, x, y, r),
    "data-mask": mask,
    onclick: () => view.chooseMask(mask),
    onpointermove: (event) => view.light({ mask, text }, event),
    onpointerleave: () => view.light(null),
  });
}

export function drawFigure5(view) {
  const { result, mask } = view;
  const masks = result.committees.map((_, m) => m).slice(1).sort((a, b) => sizeOf(b) - sizeOf(a) || a - b);
  const worst = (m) => view.utility(result.committees[m].worst);
  const fitted = Boolean(result.committees[1].fit);
  const across = (m) => (fitted ? result.committees[m].fit.eps : sizeOf(m));
  const optimum = view.utility(result.optimum);
  const most = Math.max(...masks.map(across));
  const ys = padded([...masks.map(worst), optimum]);
  const xs = fitted ? [-0.05 * (most || 0.1), 1.08 * (most || 0.1)] : [0.5, most + 0.5];
  const title = fitted
    ? `Worst equilibrium of all ${masks.length} committees against their misalignment; the present one is ringed`
    : `Worst equilibrium of all ${masks.length} committees by their size; the present one is ringed`;
  const plot = chart(byId("figure5"), { title, xs, ys, xLabel: fitted ? "misalignment ε" : "committee size k", yLabel: "user's worst equilibrium", whole: !fitted });
  const { inner } = plot;
  plot.add(svg("path", { class: "optimum", d: `M${inner.left} ${plot.y(optimum)}H${inner.right}` }));
  if (fitted) {
    const end = Math.min(xs[1], (optimum - ys[0]) / 2);
    plot.add(svg("path", { class: "bound", d: line([[plot.x(0), plot.y(optimum)], [plot.x(end), plot.y(optimum - 2 * end)]]) }));
  }
  const places = spread(masks.map((m) => [plot.x(across(m)), plot.y(worst(m))]));
  masks.forEach((m, i) => plot.add(mark(view, m, places[i])));
  const [cx, cy] = places[masks.indexOf(mask)];
  plot.add(svg("circle", { class: "now", cx, cy, r: 10 }));
  plot.add(svg("text", { x: inner.right - 2, y: plot.y(optimum) - 6, "text-anchor": "end", class: "soft halo" }, "optimum"));
  const legend = view.market.providers.map((_, j) =>
    html("span", {}, svg("svg", { viewBox: "0 0 14 14" }, svg("path", { class: `k${j + 1}`, d: outline(j + 1, 7, 7, 6) })), ` k = ${j + 1}`),
  );
  const about = fitted ? "Dashed: optimum − 2ε, which no equilibrium is below. " : "The score is for the selection game. ";
  show(byId("sizes"), legend, html("span", {}, `${about}Marks at one place are spread to its right.`));
}

export function drawFigure7(view) {
  const { result, market, order } = view;
  const providers = market.providers.length;
  const worst = (m) => view.utility(result.committees[m].worst);
  const optimum = view.utility(result.optimum);
  const masks = result.committees.map((_, m) => m).slice(1);
  const steps = order.map((_, k) => order.slice(0, k + 1).reduce((all, j) => all | (1 << j), 0));
  const mean = order.map((_, k) => masks.filter((m) => sizeOf(m) === k + 1).map(worst)).map((all) => all.reduce((sum, v) => sum + v, 0) / all.length);
  const title = `Worst equilibrium as providers enter: ${order.map((j, k) => `${market.providers[j]} ${shown(worst(steps[k]))}`).join(", ")}`;
  const xs = [0.6, providers + 0.4];
  const plot = chart(byId("figure7"), { title, xs, ys: padded([...masks.map(worst), optimum]), xLabel: "market size k", yLabel: "user's worst equilibrium", whole: true });
  plot.add(svg("path", { class: "optimum", d: `M${plot.inner.left} ${plot.y(optimum)}H${plot.inner.right}` }));
  plot.add(svg("path", { class: "mean", d: line(mean.map((value, k) => [plot.x(k + 1), plot.y(value)])) }));
  const path = steps.map((m, k) => [plot.x(k + 1), plot.y(worst(m))]);
  plot.add(svg("path", { class: "path", d: line(path) }));
  const all = [...steps, ...masks.filter((m) => !steps.includes(m))]; // those of the path stay in their places
  const places = spread(all.map((m) => [plot.x(sizeOf(m)), plot.y(worst(m))]), 8.5);
  all.forEach((m, i) => plot.add(mark(view, m, places[i], i < providers ? 6 : 3)));
  // Labels are below and above by turns, so that each has the room of two; at the top all are below, in two rows.
  const room = Math.floor((2 * (plot.inner.right - plot.inner.left)) / providers / 7);
  steps.forEach((m, k) => {
    if (room < 14) return; // too narrow: the order is in words below
    const [x, y] = path[k];
    const down = y < plot.inner.top + 30 ? 22 + 13 * (k % 2) : k % 2 ? -12 : 22;
    const anchor = k === 0 ? "start" : k === providers - 1 ? "end" : "middle";
    const from = { start: -12, middle: 0, end: 12 }[anchor];
    plot.add(svg("text", { x: x + from, y: y + down, "text-anchor": anchor, class: "halo" }, shortened(`+${market.providers[order[k]]}`, room)));
  });
  const [cx, cy] = places[all.indexOf(view.mask)];
  plot.add(svg("circle", { class: "now", cx, cy, r: 9 }));

  const move = (k, by) => {
    const changed = [...order];
    [changed[k], changed[k + by]] = [changed[k + by], changed[k]];
    view.chooseOrder(changed);
  };
  const items = order.map((j, k) =>
    html(
      "li",
      {},
      `${market.providers[j]} `,
      html("button", { type: "button", id: `earlier-${j}`, "aria-label": `${market.providers[j]} enters earlier`, disabled: k === 0, onclick: () => move(k, -1) }, "↑"),
      " ",
      html("button", { type: "button", id: `later-${j}`, "aria-label": `${market.providers[j]} enters later`, disabled: k === providers - 1, onclick: () => move(k, 1) }, "↓"),
    ),
  );
  show(byId("order"), items);
}

/** The numbers behind the pictures. */
export function drawAll(view) {
  if (!byId("all").closest("details").open) return;
  const { result } = view;
  const fitted = Boolean(result.committees[1].fit);
  const head = ["committee", "worst", "best", "equilibria", "dynamics", "steps", ...(fitted ? ["misalignment", "bound"] : [])];
  const rows = result.committees.slice(1).map((here, i) => {
    const mask = i + 1;
    const end = here.path.at(-1).point;
    const bound = fitted ? [shown(here.fit.eps), shown(view.utility(result.optimum) - 2 * here.fit.eps)] : [];
    const cells = [view.text(here.worst), view.text(here.best), String(here.count), view.text(result.values[0][end]), String(here.path.length - 1), ...bound];
    const name = html("button", { type: "button", id: `all-${mask}`, onclick: () => view.chooseMask(mask) }, view.committeeText(mask));
    return html("tr", { "data-mask": mask, class: mask === view.mask ? "here" : null }, html("th", { scope: "row" }, name), cells.map((cell) => html("td", {}, cell)));
  });
  const top = html("tr", {}, head.map((name) => html("th", { scope: "col" }, name)));
  show(byId("all"), html("thead", {}, top), html("tbody", {}, rows));
}
