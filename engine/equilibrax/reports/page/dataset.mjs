// A dataset above the page of a market: Figures 5 and 6 as densities, of which a part can be chosen with the pointer or
// in fields; sizes of committees as toggles; and the tables behind what is chosen, which open in the page below.
//
// Rows were counted beforehand, by bins of misalignment (`e`), of the loss of the worst equilibrium (`l`) and of what
// the dynamics gain over it (`g`), and by the committee's size (`k`): group i has `n[i]` rows, of which one is committee
// `m[i]` of the page's table `t[i]` (-1 where the page has none). Bin 0 is exactly zero.

import { line, ticks } from "./charts.mjs";
import { byId, html, show, svg } from "./dom.mjs";
import { solve } from "./market.mjs";
import { shown } from "./numbers.mjs";
import { openTable, tablesOfPage } from "./page.mjs";
import { membersOf } from "./selection.mjs";

const { dataset } = JSON.parse(byId("given").textContent);
const { groups, bins, tops } = dataset;
const FIGURES = { loss: { bin: "l", sign: -1, label: "worst equilibrium − optimum" }, gain: { bin: "g", sign: 1, label: "dynamics − worst equilibrium" } };
const LISTED = 12;
const SIZES = [...new Set(groups.k)].sort((a, b) => a - b);

const sizes = new Set(SIZES);
let brush = null; // {figure, x: [first, last], y: [first, last]}, bins
let drawn = {};

/** The ends of a bin, in utility. */
const binEnds = (bin, top) => (bin === 0 ? [0, 0] : [((bin - 1) / (bins - 1)) * top, (bin / (bins - 1)) * top]);
const within = (value, [first, last]) => value >= first && value <= last;
const isChosen = (i) => !brush || (within(groups.e[i], brush.x) && within(groups[FIGURES[brush.figure].bin][i], brush.y));

function drawDataset() {
  const here = groups.n.map((_, i) => i).filter((i) => sizes.has(groups.k[i]));
  const chosen = here.filter(isChosen);
  for (const figure of Object.keys(FIGURES)) drawDensity(figure, here, brush ? chosen : here);
  const count = (list) => list.reduce((sum, i) => sum + groups.n[i], 0);
  const [all, part] = [count(here), count(chosen)];
  const share = (list) => (part ? `${shown((100 * count(list)) / part, 2)} %` : "none");
  byId("brushed").textContent =
    `${part.toLocaleString("en")} of ${all.toLocaleString("en")} committees: ` +
    `${share(chosen.filter((i) => groups.l[i] === 0))} lose nothing in any equilibrium, dynamics gain in ${share(chosen.filter((i) => groups.g[i] > 0))}.`;
  byId("brush-clear").disabled = !brush;
  drawBehind(chosen);
  drawFields();
}

/** Counts per cell: all that are shown in grey, the chosen ones over them; stronger is more, on a logarithmic scale. */
function drawDensity(figure, here, chosen) {
  const { bin, sign, label } = FIGURES[figure];
  const holder = byId(`density-${figure}`);
  const width = Math.max(260, holder.clientWidth || 400);
  const height = Math.round(Math.min(460, Math.max(240, width * 0.7)));
  const [left, right, top, bottom] = [66, width - 12, 10, height - 44];
  const [w, h] = [(right - left) / (bins + 0.5), (bottom - top) / (bins + 0.5)];
  const x = (b) => left + (b === 0 ? 0 : (b + 0.5) * w);
  const y = (b) => (sign < 0 ? top + (b === 0 ? 0 : (b + 0.5) * h) : bottom - (b === 0 ? h : (b + 1.5) * h));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Density of committees by misalignment and ${label}`, class: "density" });
  const cells = (list) => {
    const found = new Map();
    for (const i of list) {
      const key = groups.e[i] * bins + groups[bin][i];
      found.set(key, (found.get(key) ?? 0) + groups.n[i]);
    }
    return found;
  };
  const [whole, part] = [cells(here), cells(chosen)];
  const most = Math.log1p(Math.max(1, ...whole.values()));
  for (const [kind, found] of [["some", brush ? whole : new Map()], ["chosen", part]]) {
    for (const [key, count] of found) {
      const [bx, by] = [Math.floor(key / bins), key % bins];
      root.append(svg("rect", { class: kind, x: x(bx), y: y(by), width: w, height: h, "fill-opacity": (0.15 + (0.85 * Math.log1p(count)) / most).toFixed(3) }));
    }
  }
  root.append(svg("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` }));
  const placeX = (value) => left + 1.5 * w + (value / tops.e) * (bins - 1) * w;
  const placeY = (value) => (sign < 0 ? top + 1.5 * h + (value / tops[bin]) * (bins - 1) * h : bottom - 1.5 * h - (value / tops[bin]) * (bins - 1) * h);
  const across = ticks(0, tops.e, 4);
  for (const value of across.found.slice(1)) root.append(svg("text", { x: placeX(value), y: bottom + 16, "text-anchor": "middle", class: "soft" }, value.toFixed(across.decimals)));
  root.append(svg("text", { x: left + w / 2, y: bottom + 16, "text-anchor": "middle", class: "soft" }, "0"));
  const up = ticks(0, tops[bin], 4);
  for (const value of up.found.slice(1)) root.append(svg("text", { x: left - 6, y: placeY(value) + 4, "text-anchor": "end", class: "soft" }, (sign < 0 ? "−" : "") + value.toFixed(up.decimals)));
  root.append(
    svg("text", { x: left - 6, y: y(0) + h / 2 + 4, "text-anchor": "end", class: "soft" }, "0"),
    svg("text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, "misalignment ε"),
    svg("text", { transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, label),
  );
  if (sign < 0) {
    const end = Math.min(tops.e, tops.l / 2);
    root.append(svg("path", { class: "bound", d: line([[placeX(0), placeY(0)], [placeX(end), placeY(2 * end)]]) }));
  }
  if (brush?.figure === figure) {
    const [x0, x1] = [x(brush.x[0]), x(brush.x[1]) + w];
    const ends = brush.y.flatMap((b) => [y(b), y(b) + h]);
    root.append(svg("rect", { class: "now", x: x0, y: Math.min(...ends), width: x1 - x0, height: Math.max(...ends) - Math.min(...ends) }));
  }
  holder.replaceChildren(root);
  const clamp = (value) => Math.max(0, Math.min(bins - 1, value));
  const at = (event) => {
    const box = root.getBoundingClientRect();
    const [px, py] = [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
    const fromZero = (pixels, size) => (pixels < 1.25 * size ? 0 : clamp(Math.floor(pixels / size - 0.5)));
    return [fromZero(px - left, w), fromZero(sign < 0 ? py - top : bottom - py, h)];
  };
  drawn[figure] = { at };
}

function listenToBrush(figure) {
  const holder = byId(`density-${figure}`);
  let start = null;
  const extend = (event) => {
    const [bx, by] = drawn[figure].at(event);
    const sorted = (a, b) => (a < b ? [a, b] : [b, a]);
    brush = { figure, x: sorted(start[0], bx), y: sorted(start[1], by) };
    drawDataset();
  };
  holder.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    holder.setPointerCapture(event.pointerId);
    start = drawn[figure].at(event);
    extend(event);
  });
  holder.addEventListener("pointermove", (event) => start && extend(event));
  for (const type of ["pointerup", "pointercancel"]) holder.addEventListener(type, () => (start = null));
}

/** The ends of the chosen part as fields, for the keyboard. */
function drawFields() {
  for (const [figure, { bin, label }] of Object.entries(FIGURES)) {
    const ranges = brush?.figure === figure ? brush : { x: [0, bins - 1], y: [0, bins - 1] };
    const field = (axis, end, top, name) => {
      const value = shown(binEnds(ranges[axis][end], top)[end], 4);
      const input = html("input", { id: `${figure}-${axis}-${end}`, value, inputmode: "decimal", size: 7, "aria-label": `${name} ${end ? "to" : "from"}` });
      input.addEventListener("change", () => setTimeout(() => takeField(figure, axis, end, top, Number(input.value))));
      return input;
    };
    const name = label.replace("worst equilibrium − optimum", "loss").replace("dynamics − worst equilibrium", "gain");
    const about = (axis, top, what) => html("span", {}, `${what} `, field(axis, 0, top, what), " to ", field(axis, 1, top, what));
    show(byId(`brush-${figure}`), about("x", tops.e, "ε"), about("y", tops[bin], name));
  }
}

function takeField(figure, axis, end, top, value) {
  const ranges = brush?.figure === figure ? { ...brush } : { figure, x: [0, bins - 1], y: [0, bins - 1] };
  if (value >= 0) {
    const place = (value / top) * (bins - 1);
    const bin = value === 0 ? 0 : Math.min(bins - 1, 1 + (end ? Math.ceil(place - 1e-9) - 1 : Math.floor(place + 1e-9)));
    const changed = [...ranges[axis]];
    changed[end] = bin;
    ranges[axis] = changed[0] <= changed[1] ? changed : [bin, bin];
    brush = ranges;
  }
  drawDataset();
}

/** Some of the tables behind the chosen part, those that lose most first; their numbers are solved here. */
function drawBehind(chosen) {
  const tables = tablesOfPage();
  const found = chosen.filter((i) => groups.t[i] >= 0).sort((i, j) => groups.l[j] - groups.l[i] || groups.g[j] - groups.g[i] || groups.e[j] - groups.e[i]);
  const rows = found.slice(0, LISTED).map((i) => {
    const market = tables[groups.t[i]];
    const { committees, optimum, scale, values } = solve(market, dataset.game);
    const here = committees[groups.m[i]];
    const cells = [here.fit.eps, (here.worst - optimum) / scale, (values[0][here.path.at(-1).point] - here.worst) / scale];
    const open = html("button", { type: "button", id: `open-${i}`, onclick: () => openTable(groups.t[i], groups.m[i]) }, `Open ${market.name}`);
    const names = membersOf(groups.m[i]).map((j) => market.providers[j]).join(", ");
    return html("tr", {}, html("th", { scope: "row" }, open), html("td", {}, names), cells.map((cell) => html("td", { class: "number" }, shown(cell))), html("td", { class: "number" }, groups.n[i].toLocaleString("en")));
  });
  const head = ["table", "committee", "misalignment", "worst − optimum", "dynamics − worst", "committees like it"];
  show(byId("behind"), html("thead", {}, html("tr", {}, head.map((name) => html("th", { scope: "col" }, name)))), html("tbody", {}, rows));
}

function startDataset() {
  byId("dataset-name").textContent = dataset.name;
  const left = dataset.left ? `; ${dataset.left.toLocaleString("en")} rows without an answer, or with more providers than a page takes, are left out` : "";
  byId("dataset-about").textContent = `${dataset.rows.toLocaleString("en")} committees of ${dataset.tables.toLocaleString("en")} tables${left}. The page has ${tablesOfPage().length.toLocaleString("en")} of the tables. Stronger is more, on a logarithmic scale; the first row and column are exactly 0.`;
  const toggles = SIZES.map((k) => {
    const box = html("input", { type: "checkbox", id: `size-${k}`, checked: true });
    box.addEventListener("change", () => {
      if (box.checked) sizes.add(k);
      else sizes.delete(k);
      drawDataset();
    });
    return html("label", {}, box, `k = ${k}`);
  });
  show(byId("dataset-sizes"), toggles);
  byId("brush-clear").addEventListener("click", () => {
    brush = null;
    drawDataset();
  });
  Object.keys(FIGURES).forEach(listenToBrush);
  new ResizeObserver(drawDataset).observe(byId("dataset"));
}

startDataset();
