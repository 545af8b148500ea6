// The picture of all schemes (or partitions): the user's value against a provider's, the stable ones marked, and why the
// chosen one is not stable. The chosen one can be put together state by state without the picture.

import { chart, padded } from "./charts.mjs";
import { byId, html, options, show, svg } from "./dom.mjs";

const FAR = 14; // pixels at which a mark is near enough to be pointed at

export function drawSchemes(view) {
  const { result, market, mask, axis, point } = view;
  byId("kind").textContent = result.kind === "scheme" ? "schemes" : "partitions";
  options(byId("axis"), market.providers, axis);
  const [across, up] = [result.values[0], result.values[axis + 1]];
  const xs = padded([...new Set(across)].map(view.utility));
  const ys = padded([...new Set(up)].map(view.utility));
  const stable = Array.from(across.keys()).filter((s) => result.stable(s, mask));
  const name = market.providers[axis];
  const title = `${across.length} ${view.kinds} by the user's utility and that of ${name}; ${stable.length} are equilibria of the committee`;
  const plot = chart(byId("plane"), { title, xs, ys, xLabel: "user's expected utility", yLabel: `utility of ${name}` });
  const place = (s) => [plot.x(view.utility(across[s])), plot.y(view.utility(up[s]))];
  const { inner } = plot;

  const found = result.deviations(point, mask);
  const [px, py] = place(point);
  if (found.some(({ provider }) => provider === axis)) {
    plot.add(svg("rect", { class: "gain", x: px, y: inner.top, width: Math.max(0, inner.right - px), height: Math.max(0, py - inner.top) }));
  }
  const optimum = plot.x(view.utility(result.optimum));
  const worst = plot.x(view.utility(view.committee.worst));
  plot.add(
    svg("path", { class: "optimum", d: `M${optimum} ${inner.top}V${inner.bottom}` }),
    svg("path", { class: "bound", d: `M${worst} ${inner.top}V${inner.bottom}` }),
  );
  const seen = new Set();
  const dots = Array.from(across.keys(), (s) => place(s).map((v) => v.toFixed(1)).join(" ")).filter((text) => !seen.has(text) && seen.add(text));
  plot.add(svg("path", { class: "dots", d: dots.map((text) => `M${text}h0`).join("") }));
  const marks = new Map();
  for (const s of stable) {
    const [x, y] = place(s);
    const key = `${x.toFixed(1)} ${y.toFixed(1)}`;
    if (marks.has(key)) continue;
    marks.set(key, s);
    plot.add(svg("path", { class: "stable", d: `M${x} ${y - 6}l6 6l-6 6l-6 -6Z`, "data-point": s }));
  }
  for (const { point: to } of found) plot.add(...arrow([px, py], place(to)));
  plot.add(svg("circle", { class: "now", cx: px, cy: py, r: 10 }));
  plot.add(
    svg("text", { x: optimum - 4, y: inner.top + 10, "text-anchor": "end", class: "soft halo" }, "optimum"),
    Math.abs(optimum - worst) > 70 ? svg("text", { x: worst + 4, y: inner.bottom - 6, class: "soft halo" }, "worst equilibrium") : null,
  );

  const near = (event) => {
    const box = plot.root.getBoundingClientRect();
    const scale = plot.width / box.width;
    const [mx, my] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let best = [-1, FAR * FAR];
    for (let s = 0; s < across.length; s++) {
      const [x, y] = place(s);
      const far = (x - mx) ** 2 + (y - my) ** 2;
      if (far < best[1] || (far === best[1] && marks.get(`${x.toFixed(1)} ${y.toFixed(1)}`) === s)) best = [s, far];
    }
    return best[0];
  };
  plot.root.addEventListener("pointermove", (event) => {
    const s = near(event);
    view.light(s < 0 ? null : { point: s, text: `${view.ruleText(s)}\nuser ${view.text(across[s])}, ${name} ${view.text(up[s])}` }, event);
  });
  plot.root.addEventListener("pointerleave", () => view.light(null));
  plot.root.addEventListener("click", (event) => {
    const s = near(event);
    if (s >= 0) view.choosePoint(s);
  });
  view.spot = { plot, place };
  drawRule(view);
  drawWhy(view, found);
}

/** A ring around a scheme in the picture, for what is pointed at elsewhere. */
export function spotlight(view, point) {
  if (!view.spot) return;
  view.spot.plot.root.querySelector(".spot")?.remove();
  if (point === null) return;
  const [cx, cy] = view.spot.place(point);
  view.spot.plot.add(svg("circle", { class: "now spot", cx, cy, r: 6 }));
}

function arrow([x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 12) return [];
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [sx, sy, ex, ey] = [x0 + 10 * dx, y0 + 10 * dy, x1 - 5 * dx, y1 - 5 * dy];
  const head = `M${ex} ${ey}L${ex - 9 * dx - 4 * dy} ${ey - 9 * dy + 4 * dx}L${ex - 9 * dx + 4 * dy} ${ey - 9 * dy - 4 * dx}Z`;
  return [svg("path", { class: "arrow", d: `M${sx} ${sy}L${ex} ${ey}` }), svg("path", { class: "head", d: head })];
}

/** Menus that put the chosen scheme together, one for every state. */
function drawRule(view) {
  const { result, market, point } = view;
  const rule = result.describe(point);
  const menus = market.states.map((state, x) => {
    const choices = result.kind === "scheme" ? result.actions[x] : market.states.map((_, label) => label);
    const texts = choices.map((choice) => (result.kind === "scheme" ? market.actions[choice] : `message ${choice + 1}`));
    const select = html("select", { id: `rule-${x}`, "aria-label": `In state ${state}` });
    options(select, texts, choices.indexOf(rule[x]));
    select.addEventListener("change", () => view.chooseRule(rule.map((own, i) => (i === x ? choices[Number(select.value)] : own))));
    return html("label", {}, `${state}: `, select);
  });
  show(byId("rule"), ...menus);
  byId("rule").setAttribute("aria-label", `The chosen ${result.kind}`);
}

/** Why the chosen scheme is an equilibrium of the committee, or who deviates, to what, and what both gain. */
function drawWhy(view, found) {
  const { result, market, mask, point } = view;
  const values = result.values;
  const said = `user ${view.text(values[0][point])}, ` + view.members.map((j) => `${market.providers[j]} ${view.text(values[j + 1][point])}`).join(", ");
  const alone = view.members.length === 1;
  const reasons = found.map(({ provider: j, point: to }) => {
    const change = (p) => `${view.text(values[p][point])} → ${view.text(values[p][to])}`;
    const go = html("button", { type: "button", onclick: () => view.choosePoint(to) }, "Go there");
    return html("li", {}, `${market.providers[j]} ${alone ? "would rather post" : "deviates to"} ${view.ruleText(to)}: user ${change(0)}, ${market.providers[j]} ${change(j + 1)}. `, go);
  });
  const verdict = reasons.length
    ? html("p", { class: "no" }, `Not an equilibrium of ${view.committeeText(mask)}:`)
    : html("p", { class: "yes" }, alone ? `${view.committeeText(mask)} alone has nothing better.` : `An equilibrium of ${view.committeeText(mask)}: nobody has a deviation that pays.`);
  show(byId("why"), verdict, reasons.length ? html("ul", {}, reasons) : null, html("p", {}, said));
}
