// Six objectives chase a distribution that is drawn with the mouse: heat maps of discriminators, arrows of generators.
import { fill, h, keep, later, place, short, toast } from "./dom.js";
import { post } from "./api.js";
import { card, choose, select, slider } from "./bits.js";
import { t } from "./words.js";

const SIDE = 440, TILE = 220, MOST = 600, KINDS = ["none", "gradient_penalty", "dragan", "r1", "r2", "r1_r2"];

const around = (n, make) => Array.from({ length: n }, (_, i) => make(i / n));
const turn = a => [Math.cos(2 * Math.PI * a), Math.sin(2 * Math.PI * a)];
const SHAPES = {
  ring: () => around(8, a => turn(a).map(v => 0.7 * v)),
  grid: () => around(25, a => { const i = Math.round(25 * a); return [(i % 5 - 2) * 0.35, (Math.floor(i / 5) - 2) * 0.35]; }),
  circle: () => around(120, a => turn(a).map(v => 0.6 * v)),
  spiral: () => around(160, a => turn(2 * a).map(v => 0.8 * v * Math.sqrt(a))),
  two: () => [[-0.55, 0.4], [0.55, -0.4]],
};

export async function plane(box) {
  const params = place().params;
  let points = (SHAPES[params.get("shape")] || SHAPES.ring)(), state = null, chosen = params.get("objective") || "relativistic", pace = Number(params.get("pace")) || 5;
  let playing = false, left = false, changed = false, drawing = false, penalties = {}, rate = Number(params.get("rate")) || 0.002;
  const stage = h("canvas", { class: "draw", id: "plane", width: SIDE, height: SIDE, tabIndex: 0, role: "img", "aria-label": t("plane.paper") });
  const tiles = h("div", { class: "tiles" }), told = h("p", { class: "small num", role: "status" });

  const begin = async () => {
    try { state = await post("play/grounds", { points, penalties, rate }); build(); draw(); } catch (error) { toast(error.message); }
  };
  const step = async n => {
    if (!state) return;
    const found = await post(`play/grounds/${state.id}/steps`, { n, points: changed ? points : null });
    changed = false;
    if (!left) { state = found; draw(); }
  };
  const loop = async () => {
    while (playing && !left) {
      try { await step(pace); } catch (error) { toast(error.message); stop(); return; }
      await new Promise(requestAnimationFrame);
    }
  };
  const stop = () => { playing = false; play.textContent = `▶ ${t("play.play")}`; play.setAttribute("aria-pressed", "false"); };
  const play = h("button", { type: "button", class: "main", id: "plane-play", "aria-pressed": "false", onclick: () => { if (playing) stop(); else { playing = true; play.textContent = `❚❚ ${t("play.pause")}`; play.setAttribute("aria-pressed", "true"); loop(); } } }, `▶ ${t("play.play")}`);

  let small = {};
  const build = () => {
    small = {};
    fill(tiles, state.games.map(one => {
      const canvas = h("canvas", { width: TILE, height: TILE, "aria-hidden": "true" }), caption = h("span", { class: "small soft num" });
      small[one.objective] = [canvas, caption];
      const pick = h("button", { type: "button", class: "tile", "aria-pressed": String(one.objective === chosen), onclick: () => { chosen = one.objective; keep({ objective: chosen }); draw(); } }, canvas, h("b", {}, t(`objective.${one.objective}`)), caption);
      small[one.objective].push(pick);
      const kinds = one.objective === "wasserstein" ? KINDS.filter(kind => kind !== "none") : KINDS;
      return h("div", {}, pick, select(kinds.map(kind => [kind, t(`penalty.${kind}`)]), one.penalty, kind => { penalties = { ...penalties, [one.objective]: { kind, weight: kind === "none" ? 0 : one.weight || 0.1 } }; begin(); }, t("plane.penalty", { objective: t(`objective.${one.objective}`) })));
    }));
  };

  const draw = () => {
    for (const one of state.games) {
      const [canvas, caption, pick] = small[one.objective];
      paint(canvas, one, points, false);
      caption.textContent = one.over ? t("plane.over") : t("plane.covered", { n: Math.round(100 * one.covered) });
      pick.setAttribute("aria-pressed", String(one.objective === chosen));
    }
    const one = state.games.find(game => game.objective === chosen) || state.games[0];
    paint(stage, one, points, true);
    told.textContent = one.over || [t("plane.step", { n: one.step }), ...Object.entries(one.terms).map(([name, value]) => `${name} ${short(value)}`)].join(" · ");
  };

  const at = event => { const area = stage.getBoundingClientRect(); return [2 * (event.clientX - area.left) / area.width - 1, 1 - 2 * (event.clientY - area.top) / area.height].map(v => +Math.min(1, Math.max(-1, v)).toFixed(3)); };
  const add = event => { points = [...points, at(event)].slice(-MOST); changed = true; if (state) draw(); };
  stage.addEventListener("pointerdown", event => { event.preventDefault(); stage.setPointerCapture(event.pointerId); drawing = true; if (fresh) { points = []; fresh = false; } add(event); });
  stage.addEventListener("pointermove", event => { if (drawing) add(event); });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { if (drawing) { drawing = false; if (!playing) step(0).catch(error => toast(error.message)); } });
  let fresh = true; // whether the next stroke begins a new distribution

  const shape = name => { points = SHAPES[name](); fresh = true; changed = true; keep({ shape: name }); if (state) draw(); };
  const slow = later(begin, 300);
  fill(box, h("div", { class: "split" },
    h("div", { class: "stack" }, card(null, stage, told, h("div", { class: "row" }, play, h("button", { type: "button", onclick: () => { stop(); step(1).catch(error => toast(error.message)); } }, t("plane.one")), h("button", { type: "button", class: "plain", onclick: begin }, t("play.afresh"))),
      h("p", { class: "small" }, t("plane.legend"))),
    card(t("plane.draw"), h("p", { class: "small" }, t("plane.drawhint")), choose(Object.keys(SHAPES).map(name => [name, t(`plane.${name}`)]), params.get("shape") || "ring", shape, t("plane.draw")),
      h("button", { type: "button", class: "plain mini", onclick: () => { fresh = true; toast(t("plane.fresh"), 3); } }, t("plane.new")),
      slider({ label: t("plane.pace"), low: 1, high: 50, step: 1, value: pace, long: true, show: v => v, oninput: value => { pace = value; keep({ pace }); } }),
      slider({ label: t("plane.rate"), low: -4, high: -1.3, step: 0.05, value: Math.log10(rate), long: true, show: v => (10 ** v).toPrecision(2), oninput: value => { rate = 10 ** value; keep({ rate: rate.toPrecision(3) }); slow(); } }))),
    h("div", { class: "stack" }, card(t("plane.six"), h("p", { class: "small" }, t("plane.sixhint")), tiles))));
  await begin();
  return () => { left = true; stop(); };
}

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

/* One game: what the discriminator holds of each place, the drawn points, the generated ones, where they are pulled. */
function paint(canvas, one, points, large) {
  const pen = canvas.getContext("2d"), side = canvas.width, place = ([x, y]) => [(x + 1) / 2 * side, (1 - y) / 2 * side];
  const heat = atob(one.heat), tiny = document.createElement("canvas"), cells = tiny.getContext("2d"), image = cells.createImageData(one.side, one.side);
  tiny.width = tiny.height = one.side;
  const [low, mid, high] = dark() ? [[150, 84, 30], [24, 28, 38], [38, 84, 190]] : [[255, 196, 140], [250, 250, 252], [150, 186, 255]];
  for (let i = 0; i < heat.length; i++) {
    const share = heat.charCodeAt(i) / 255, [a, b, k] = share < 0.5 ? [low, mid, 2 * share] : [mid, high, 2 * share - 1];
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = a[c] + (b[c] - a[c]) * k;
    image.data[4 * i + 3] = 255;
  }
  cells.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = true; pen.drawImage(tiny, 0, 0, side, side);
  const dot = (point, radius, fillStyle) => { const [x, y] = place(point); pen.fillStyle = fillStyle; pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.fill(); };
  const longest = Math.max(1e-9, ...one.arrows.map(([x, y]) => Math.hypot(x, y)));
  pen.strokeStyle = colour("--ink"); pen.lineWidth = large ? 1.4 : 0.8; pen.globalAlpha = 0.55;
  pen.beginPath();
  one.arrows.forEach(([x, y], i) => {
    const [a, b] = place(one.points[i]), length = (large ? 34 : 18) / longest, [dx, dy] = [x * length, -y * length], angle = Math.atan2(dy, dx);
    pen.moveTo(a, b); pen.lineTo(a + dx, b + dy);
    if (large) for (const wing of [2.6, -2.6]) { pen.moveTo(a + dx, b + dy); pen.lineTo(a + dx + 5 * Math.cos(angle + wing), b + dy + 5 * Math.sin(angle + wing)); }
  });
  pen.stroke(); pen.globalAlpha = 1;
  points.forEach(point => dot(point, large ? 4 : 2.4, colour("--c3")));
  one.points.forEach(point => dot(point, large ? 2.2 : 1.4, colour("--c2")));
}
