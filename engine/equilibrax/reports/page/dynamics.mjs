// Best-response dynamics of the committee as steps that play and rewind: who moves, to what, and what everybody gets.

import { apart, chart, line, padded, shortened } from "./charts.mjs";
import { byId, html, show, svg } from "./dom.mjs";

const DASHES = ["9 3", "2 3", "7 3 2 3", "12 4", "4 4", "1 5"];

export function drawDynamics(view) {
  const { result, market, committee, step } = view;
  const { path } = committee;
  const last = path.length - 1;
  const series = [0, ...view.members.map((j) => j + 1)].map((p) => path.map(({ point }) => view.utility(result.values[p][point])));
  const names = ["user", ...view.members.map((j) => market.providers[j])];
  const xs = last ? [-0.03 * last, last * 1.03] : [-0.5, 0.5];
  const title = `Utilities over ${last} steps of best responses; the user ends at ${view.text(result.values[0][path[last].point])}`;
  const plot = chart(byId("dynamics"), { title, xs, ys: padded(series.flat()), xLabel: "step", yLabel: "expected utility", whole: true, right: 84 });
  const ends = apart(series.map((own) => plot.y(own[last])), 13, plot.inner.top + 4, plot.inner.bottom);
  series.forEach((own, p) => {
    const points = own.map((value, n) => [plot.x(n), plot.y(value)]);
    plot.add(svg("path", { class: p ? "thin" : "path", "stroke-dasharray": p ? DASHES[p - 1] : null, d: line(points) }));
    plot.add(svg("text", { x: plot.x(last) + 8, y: ends[p] + 4, class: "halo" }, shortened(names[p], last ? 13 : 20)));
    if (p) return plot.add(...points.map(([cx, cy]) => svg("circle", { class: "small", cx, cy, r: 2.2 })));
    points.forEach(([cx, cy], n) => {
      const text = said(view, n);
      const { point } = path[n];
      plot.add(
        svg("circle", {
          class: "stable", cx, cy, r: 5, "data-point": point,
          onclick: () => view.chooseStep(n),
          onpointermove: (event) => view.light({ point, text }, event),
          onpointerleave: () => view.light(null),
        }),
      );
    });
    return undefined;
  });
  plot.add(svg("path", { class: "cursor", d: `M${plot.x(step)} ${plot.inner.top}V${plot.inner.bottom}` }));
  const slider = byId("step");
  slider.max = String(last);
  slider.value = String(step);
  slider.disabled = last === 0;
  slider.setAttribute("aria-valuetext", `step ${step} of ${last}`);
  byId("play").disabled = last === 0;
  byId("rewind").disabled = last === 0;
  show(byId("turn"), html("span", {}, `Step ${step} of ${last}. ${said(view, step)}`));
}

/** One step in words. */
function said(view, n) {
  const { result, market, committee } = view;
  const { point, provider } = committee.path[n];
  const rule = view.ruleText(point);
  const user = view.text(result.values[0][point]);
  if (n === 0) {
    if (provider < 0) return `Everybody posts its best partition; together they reveal ${rule}: the user gets ${user}.`;
    return `Everybody posts its own optimum and the user takes ${market.providers[provider]}: ${rule}. She gets ${user}.`;
  }
  const before = committee.path[n - 1].point;
  const change = (p) => `${view.text(result.values[p][before])} → ${view.text(result.values[p][point])}`;
  const moved = result.kind === "scheme" ? "moves to" : "says more, and together they reveal";
  return `${market.providers[provider]} ${moved} ${rule}: user ${change(0)}, ${market.providers[provider]} ${change(provider + 1)}.`;
}
