// Thumbnails at their places, which can be looked at closely and chosen with a lasso.
import { h } from "./dom.js";
import { t } from "./words.js";

const SIDE = 900, EDGE = 40, NEAR = 24;

export function lassoed(map, onchosen) {
  const canvas = h("canvas", { class: "map", id: "map", width: SIDE, height: SIDE, tabIndex: 0, role: "img", "aria-label": t("map.canvas") });
  const pen = canvas.getContext("2d"), sheet = new Image(), [w, hgt] = map.thumbnail;
  const xs = map.places.map(place => place[0]), ys = map.places.map(place => place[1]);
  const low = [Math.min(...xs), Math.min(...ys)], span = Math.max(Math.max(...xs) - low[0], Math.max(...ys) - low[1], 1e-9);
  const middle = [low[0] + (Math.max(...xs) - low[0]) / 2, low[1] + (Math.max(...ys) - low[1]) / 2];
  let zoom = 1, centre = [...middle], chosen = new Set(), line = null, moving = null, mode = "lasso";
  const scale = () => zoom * (SIDE - 2 * EDGE) / span;
  const at = i => [SIDE / 2 + (map.places[i][0] - centre[0]) * scale(), SIDE / 2 - (map.places[i][1] - centre[1]) * scale()];
  const size = () => Math.min(72, Math.max(18, 30 * Math.sqrt(zoom)));

  const draw = () => {
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--page"); pen.fillRect(0, 0, SIDE, SIDE);
    pen.imageSmoothingEnabled = false;
    const side = size(), tall = side * hgt / w;
    map.places.forEach((_, i) => {
      const [x, y] = at(i);
      if (x < -side || y < -side || x > SIDE + side || y > SIDE + side) return;
      pen.globalAlpha = chosen.size && !chosen.has(i) ? 0.28 : 1;
      pen.drawImage(sheet, (i % map.columns) * w, Math.floor(i / map.columns) * hgt, w, hgt, x - side / 2, y - tall / 2, side, tall);
      if (chosen.has(i)) { pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent"); pen.lineWidth = 2; pen.strokeRect(x - side / 2, y - tall / 2, side, tall); }
    });
    pen.globalAlpha = 1;
    if (line) { pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--c2"); pen.lineWidth = 3; pen.beginPath(); line.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y)); pen.stroke(); }
  };
  const choose = indices => { chosen = new Set(indices); draw(); onchosen([...chosen]); };
  const place = event => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE]; };
  const closer = (factor, [x, y] = [SIDE / 2, SIDE / 2]) => {
    const before = [(x - SIDE / 2) / scale(), (SIDE / 2 - y) / scale()];
    zoom = Math.min(40, Math.max(0.6, zoom * factor));
    centre = [centre[0] + before[0] - (x - SIDE / 2) / scale(), centre[1] + before[1] - (SIDE / 2 - y) / scale()];
    draw();
  };
  canvas.addEventListener("pointerdown", event => { event.preventDefault(); canvas.focus(); canvas.setPointerCapture(event.pointerId); if (mode === "move" || event.button === 1) moving = place(event); else line = [place(event)]; });
  canvas.addEventListener("pointermove", event => {
    if (moving) { const now = place(event); centre = [centre[0] - (now[0] - moving[0]) / scale(), centre[1] + (now[1] - moving[1]) / scale()]; moving = now; draw(); }
    if (line) { line.push(place(event)); draw(); }
  });
  const end = event => {
    if (line) {
      const inside = line.length > 4 ? map.places.map((_, i) => i).filter(i => within(line, at(i))) : nearest(line[0]);
      const all = event.shiftKey ? [...chosen, ...inside] : inside;
      line = null; choose(all);
    }
    moving = null;
  };
  const nearest = ([x, y]) => {
    const [i, far] = map.places.map((_, k) => [k, Math.hypot(at(k)[0] - x, at(k)[1] - y)]).reduce((a, b) => b[1] < a[1] ? b : a);
    return far < NEAR + size() ? [i] : [];
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", () => { line = moving = null; draw(); });
  canvas.addEventListener("wheel", event => { event.preventDefault(); closer(event.deltaY < 0 ? 1.2 : 1 / 1.2, place(event)); }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (step) { event.preventDefault(); centre = [centre[0] + 60 * step[0] / scale(), centre[1] + 60 * step[1] / scale()]; draw(); }
    if (event.key === "+" || event.key === "=") closer(1.25);
    if (event.key === "-") closer(0.8);
  });
  const hand = h("button", { type: "button", class: "mini", "aria-pressed": "false", onclick: () => { mode = mode === "move" ? "lasso" : "move"; hand.setAttribute("aria-pressed", String(mode === "move")); } }, t("map.move"));
  const button = (text, label, act) => h("button", { type: "button", class: "mini", "aria-label": label, onclick: act }, text);
  const tools = h("div", { class: "row" }, button("+", t("map.closer"), () => closer(1.4)), button("−", t("map.farther"), () => closer(1 / 1.4)), hand, button(t("map.all"), t("map.all"), () => { zoom = 1; centre = [...middle]; draw(); }));
  sheet.onload = draw; sheet.src = map.sheet;

  const thumbnail = i => {
    const small = h("canvas", { width: w, height: hgt, class: "pixel" }), out = small.getContext("2d");
    out.drawImage(sheet, (i % map.columns) * w, Math.floor(i / map.columns) * hgt, w, hgt, 0, 0, w, hgt);
    return h("button", { type: "button", title: t("map.drop"), "aria-label": `${t("map.drop")}: ${map.labels ? map.classes[map.labels[i]] : i + 1}`, onclick: () => choose([...chosen].filter(one => one !== i)) }, small);
  };
  return { stage: canvas, tools, choose, chosen: () => [...chosen], add: i => choose([...chosen, i]), thumbnail };
}

/* Whether a point lies in a closed line: rays to the right cross it an odd number of times. */
function within(line, [x, y]) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [xi, yi] = line[i], [xj, yj] = line[j];
    if ((yi > y) !== (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
