// Axes, marks and labels of the pictures, drawn as SVG at the size at which they are seen.

import { svg } from "./dom.mjs";

const MARGIN = { left: 64, right: 14, top: 12, bottom: 42 };

/** Round numbers that cover a range: about `count` of them. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return { found, decimals: Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0))) };
}

/** A range with some space at both ends, never empty. */
export function padded(values, share = 0.07) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = (high - low) * share || Math.max(Math.abs(high), 1) * 0.05;
  return [low - pad, high + pad];
}

/**
 * An empty chart in `holder`: `{root, x, y, width, height, add}`; x and y map numbers to places. Axes are labelled; steps
 * along x may be whole numbers alone.
 */
export function chart(holder, { title, xs, ys, xLabel, yLabel, whole = false, right = 0 }) {
  const width = Math.max(260, Math.round(holder.clientWidth || 400));
  const height = Math.round(Math.min(460, Math.max(230, width * 0.66)));
  const inner = { left: MARGIN.left, right: width - MARGIN.right - right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const x = (value) => inner.left + ((value - xs[0]) / (xs[1] - xs[0])) * (inner.right - inner.left);
  const y = (value) => inner.bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (inner.bottom - inner.top);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
  const add = (...marks) => root.append(...marks.filter(Boolean));
  add(svg("path", { class: "axis", d: `M${inner.left} ${inner.top}V${inner.bottom}H${inner.right}` }));
  const across = ticks(...xs, whole ? Math.min(10, xs[1] - xs[0]) : width < 340 ? 3 : 5);
  for (const value of across.found) {
    if (whole && Math.abs(value - Math.round(value)) > 1e-9) continue;
    add(
      svg("path", { class: "axis", d: `M${x(value)} ${inner.bottom}v4` }),
      svg("text", { x: x(value), y: inner.bottom + 16, "text-anchor": "middle", class: "soft" }, whole ? String(Math.round(value)) : minus(value.toFixed(across.decimals))),
    );
  }
  const up = ticks(...ys, 5);
  for (const value of up.found) {
    add(
      svg("path", { class: "axis", d: `M${inner.left} ${y(value)}h-4` }),
      svg("text", { x: inner.left - 7, y: y(value) + 4, "text-anchor": "end", class: "soft" }, minus(value.toFixed(up.decimals))),
    );
  }
  add(
    svg("text", { x: (inner.left + inner.right) / 2, y: height - 8, "text-anchor": "middle" }, xLabel),
    svg("text", { x: 0, y: 0, transform: `translate(13 ${(inner.top + inner.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, shortened(yLabel, 34)),
  );
  holder.replaceChildren(root);
  return { root, x, y, width, height, inner, add };
}

const minus = (text) => (/^-[0.]*$/.test(text) ? text.slice(1) : text.replace("-", "−"));

export function shortened(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

/** The outline of a mark for a committee of that size: circle, square, triangle, diamond, pentagon, star. */
export function outline(size, cx, cy, r) {
  const corners = (count, turn, inner = 1) =>
    Array.from({ length: count }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / count;
      const radius = i % 2 && inner < 1 ? r * inner : r;
      return `${(cx + radius * Math.cos(angle)).toFixed(1)} ${(cy + radius * Math.sin(angle)).toFixed(1)}`;
    }).join("L");
  if (size === 1) return `M${cx - r} ${cy}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  const shapes = { 2: [4, Math.PI / 4], 3: [3, -Math.PI / 2], 4: [4, 0], 5: [5, -Math.PI / 2], 6: [10, -Math.PI / 2, 0.45] };
  return `M${corners(...shapes[size])}Z`;
}

/** Where marks go that would hide each other: those at one place are spread to its right. */
export function spread(places, distance = 8) {
  const seen = new Map();
  return places.map(([x, y]) => {
    const key = `${Math.round(x)},${Math.round(y)}`;
    const n = seen.get(key) ?? 0;
    seen.set(key, n + 1);
    const [angle, radius] = [n * 2.399963, distance * Math.sqrt(n)];
    return [x + radius * Math.abs(Math.cos(angle)), y + 0.6 * radius * Math.sin(angle)];
  });
}

/** A line through points. */
export const line = (points) => "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

/** Labels at heights, moved apart so that none covers another, within a range. */
export function apart(heights, least, low, high) {
  const order = heights.map((_, i) => i).sort((i, j) => heights[i] - heights[j]);
  const found = [...heights];
  order.forEach((i, n) => (found[i] = Math.max(found[i], low, n ? found[order[n - 1]] + least : -Infinity)));
  const over = Math.max(0, found[order.at(-1)] - high);
  return found.map((height) => height - over);
}
