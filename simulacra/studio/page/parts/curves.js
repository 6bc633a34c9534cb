// A small chart for each logged value, with the watchdog's marks.
import { h, short } from "./dom.js";

const W = 300, H = 120, L = 38, B = 16, T = 6, R = 6, SVG = "http://www.w3.org/2000/svg";

function s(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function chart(name, points, marks) {
  const last = points[points.length - 1];
  const x1 = Math.max(1, last[0]), ys = points.map(p => p[1]).sort((a, b) => a - b);
  let y0 = ys[Math.floor(ys.length * 0.01)], y1 = ys[Math.ceil(ys.length * 0.98) - 1];
  if (y1 - y0 < 1e-9) { y0 -= 0.5; y1 += 0.5; }
  const X = v => (L + (W - L - R) * v / x1).toFixed(1);
  const Y = v => Math.min(H - B, Math.max(T, T + (H - T - B) * (1 - (v - y0) / (y1 - y0)))).toFixed(1);
  const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: ${short(last[1])}` });
  svg.append(
    s("line", { x1: L, x2: W - R, y1: H - B, y2: H - B }), s("line", { x1: L, x2: L, y1: T, y2: H - B }),
    s("text", { x: L - 4, y: T + 8, "text-anchor": "end" }, short(y1)), s("text", { x: L - 4, y: H - B, "text-anchor": "end" }, short(y0)),
    s("text", { x: W - R, y: H - 4, "text-anchor": "end" }, short(x1)),
    ...marks.map(at => s("line", { class: "mark", x1: X(at), x2: X(at), y1: T, y2: H - B })),
    s("path", { d: points.map((p, i) => (i ? "L" : "M") + X(p[0]) + " " + Y(p[1])).join("") }));
  return h("figure", {}, h("figcaption", {}, h("b", {}, name), h("span", { class: "num" }, short(last[1]))), svg);
}

/* Draw rows of a log: one chart for each value. */
export function curves(rows, most = 12) {
  const names = [...new Set(rows.flatMap(row => Object.keys(row).filter(name => name.includes("/"))))].slice(0, most);
  const marks = rows.filter(row => row.warning).map(row => row.images);
  const charts = names.map(name => [name, rows.filter(row => Number.isFinite(row[name])).map(row => [row.images, row[name]])]);
  return h("div", { class: "charts" }, charts.filter(([, points]) => points.length > 1).map(([name, points]) => chart(name, points, marks)));
}
