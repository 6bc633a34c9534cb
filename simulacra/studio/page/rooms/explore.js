// A latent under the hand: sliders, a pad of two axes, codes as buttons, variations, the nearest training images.
import { fill, go, h, keep, later, latest, place, toast } from "../parts/dom.js";
import { get, of } from "../parts/api.js";
import { card, choose, copying, head, noRun, pic, pickRun, saveButton, select, slider } from "../parts/bits.js";
import { moving } from "../parts/moves.js";
import { kept, remember } from "../parts/kept.js";
import { t } from "../parts/words.js";

const REACH = 3, VARIATIONS = 8;

export async function show(root) {
  const { runs, picker, chosen } = await pickRun(["decode"], run => enter(body, run, runs));
  if (!chosen) { root.append(head(t("room.explore"), t("explore.lead")), noRun(t("empty.explore"))); return; }
  const body = h("div", {});
  root.append(head(t("room.explore"), t("explore.lead"), picker), body);
  await enter(body, chosen, runs);
}

async function enter(body, run, runs) {
  const sliders = () => get(`runs/${encodeURIComponent(run.id)}/sliders`), about = await sliders(), along = await moving(run, () => canvas?.decode());
  let canvas = null;
  canvas = new Canvas(body, run, about, runs, along);
  canvas.start();
  if (!about.settled) settle(body, run, runs, sliders, along);
}

/* The data set is still being read: once it was, sort the latents by what they do to it. */
async function settle(body, run, runs, sliders, along) {
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 2500));
    if (!body.isConnected || place().params.get("run") !== run.id) return;
    const about = await sliders();
    if (about.settled) { if (body.isConnected && place().params.get("run") === run.id) new Canvas(body, run, about, runs, along).start(); return; }
  }
}

class Canvas {
  constructor(body, run, about, runs, along) {
    this.along = along; this.run = run; this.runs = runs; this.about = about; this.z = [...about.origin]; this.codes = {};
    this.image = pic("", t("explore.image"));
    this.copy = copying();
    this.near = h("div", { class: "strip" });
    this.varied = h("div", { class: "strip" });
    this.rows = about.axes.map(axis => this.slider(axis));
    this.decode = latest(() => this.draw());
    this.settle = later(() => this.after(), 350);
    fill(body, h("div", { class: "hands" }, this.stage(), this.right(), this.below()));
  }

  start() {
    const params = place().params;
    const z = params.get("z")?.split(",").map(Number);
    try { this.codes = JSON.parse(params.get("codes") || "{}"); } catch { this.codes = {}; }
    for (const name of Object.keys(this.codes)) this.codeRows?.[name]?.pick(this.codes[name]);
    if (z && z.length === this.z.length && z.every(Number.isFinite)) { this.z = z; this.moved(); } else if (this.about.draws && (params.has("seed") || this.about.codes.length)) this.draws(Number(params.get("seed")) || 0); else this.moved();
  }

  stage() {
    const keepButton = h("button", { type: "button", onclick: () => { remember(this.run.id, { latent: [...this.z], image: this.image.src }); toast(t("explore.kept", { n: kept(this.run.id).length }), 3); } }, t("explore.keep"));
    return h("div", { class: "stack" }, h("div", { class: "stage" }, this.image),
      h("div", { class: "row" }, this.about.draws ? h("button", { class: "main", type: "button", id: "new-sample", onclick: () => this.draws(Math.floor(Math.random() * 1e6)) }, t("explore.new")) : null, keepButton,
        h("button", { type: "button", onclick: () => go("between", { run: this.run.id }) }, t("explore.walk")), saveButton(() => this.image.src, `${this.run.name}.png`)));
  }

  below() { return h("div", { class: "stack" }, card(t("explore.variations"), h("div", { id: "variations" }, this.varied)), card(t("explore.near"), this.near), this.comparing(), this.copy); }

  right() {
    return h("div", { class: "stack" }, this.about.codes.length ? card(t("explore.codes"), h("div", { class: "tight", id: "codes" }, this.about.codes.map(code => this.code(code)))) : null,
      this.rows.length >= 2 ? this.padCard() : null,
      card(t("explore.sliders"), h("div", { class: "sliders" }, this.rows), h("button", { class: "plain mini", type: "button", onclick: () => { this.z = [...this.about.origin]; this.moved(); } }, t("explore.reset"))),
      this.along.card, this.about.draws ? card(t("explore.draw"), this.seedRow()) : null);
  }

  seedRow() {
    this.seed = h("input", { type: "number", min: 0, step: 1, value: place().params.get("seed") || 0 });
    this.seed.addEventListener("change", () => this.draws(Math.max(0, Math.floor(+this.seed.value))));
    this.truncation = this.about.truncation ? slider({ label: t("explore.truncation"), low: 0.2, high: 3, step: 0.05, value: 3, long: true, show: v => +v >= 3 ? "–" : (+v).toFixed(2), oninput: later(() => this.draws(+this.seed.value), 60) }) : null;
    return [h("label", { class: "field" }, t("explore.seed"), this.seed), this.truncation];
  }

  code(code) {
    this.codeRows ||= {};
    const set = value => { this.codes[code.name] = value; keep({ codes: JSON.stringify(this.codes) }); this.moved(); };
    if (code.values) {
      const group = choose(code.values.map((value, i) => [value, code.captions[i]]), null, set, code.name);
      this.codeRows[code.name] = group;
      return h("div", { class: "tight" }, h("span", { class: "soft small" }, code.name), group);
    }
    const row = slider({ label: code.name, low: code.low, high: code.high, value: 0, oninput: set });
    row.pick = row.set;
    this.codeRows[code.name] = row;
    return row;
  }

  slider(axis) {
    const [low, high] = [axis.centre - REACH * axis.spread, axis.centre + REACH * axis.spread];
    const row = slider({ label: `z${axis.latent}`, low, high, value: this.z[axis.latent], oninput: value => { this.z[axis.latent] = value; this.point?.(); this.asked(); } });
    row.axis = axis;
    return row;
  }

  /* A square whose two directions are two latents; where there are only two, their whole plane lies under it. */
  padCard() {
    const options = this.about.axes.map((axis, i) => [String(i), `z${axis.latent}`]);
    let [x, y] = this.about.plane ? [this.at(0), this.at(1)] : [this.about.axes[0], this.about.axes[1]];
    const dot = h("i"), pad = h("div", { class: "pad pixel", tabIndex: 0, role: "application", "aria-label": t("explore.pad") }, dot);
    let ticks = null;
    const share = (axis, value) => ticks ? inverse(ticks, value) : (value - axis.centre) / (2 * REACH * axis.spread) + 0.5;
    const value = (axis, part) => ticks ? along(ticks, part) : axis.centre + (part - 0.5) * 2 * REACH * axis.spread;
    this.point = () => {
      const [a, b] = [share(x, this.z[x.latent]), 1 - share(y, this.z[y.latent])].map(v => Math.min(1, Math.max(0, v)));
      dot.style.left = `${100 * a}%`; dot.style.top = `${100 * b}%`;
    };
    const move = (a, b) => {
      this.z[x.latent] = value(x, Math.min(1, Math.max(0, a))); this.z[y.latent] = value(y, 1 - Math.min(1, Math.max(0, b)));
      this.rows.forEach(row => row.set(this.z[row.axis.latent])); this.point(); this.asked();
    };
    const drag = event => { const box = pad.getBoundingClientRect(); move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height); };
    pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); drag(event); });
    pad.addEventListener("pointermove", event => { if (event.buttons || (this.about.plane && event.pointerType === "mouse" && event.shiftKey)) drag(event); });
    pad.addEventListener("keydown", event => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      move(share(x, this.z[x.latent]) + step[0] / 40, 1 - share(y, this.z[y.latent]) + step[1] / 40);
    });
    if (this.about.plane) of(this.run.id, "manifold", { side: 20 }).then(found => { ticks = found.axis; pad.prepend(pic(found.images[0], "")); this.point(); }).catch(error => toast(error.message));
    const pick = (set) => select(options, null, i => { set(this.about.axes[+i]); this.point(); }, t("explore.axis"));
    const chosen = [pick(axis => { x = axis; }), pick(axis => { y = axis; })];
    chosen[1].value = "1";
    return card(this.about.plane ? t("explore.plane") : t("explore.two"), pad, this.about.plane ? h("p", { class: "small" }, t("explore.planehint")) : h("div", { class: "row" }, h("span", { class: "soft small" }, "→"), chosen[0], h("span", { class: "soft small" }, "↑"), chosen[1]));
  }

  at(latent) { return this.about.axes.find(axis => axis.latent === latent); }

  async draws(seed) {
    if (this.seed) this.seed.value = seed;
    keep({ seed, z: null });
    const bound = this.truncation ? +this.truncation.querySelector("input").value : 3;
    try {
      const found = await of(this.run.id, "latents", { n: 1, seed, codes: this.codes, truncation: bound < 3 ? bound : null });
      this.z = found.latents[0]; this.moved(false);
    } catch (error) { toast(error.message); }
  }

  moved(note = true) { this.rows.forEach(row => row.set(this.z[row.axis.latent])); this.point?.(); this.asked(note); }

  asked(note = true) { this.fresh = note; this.decode(); this.settle(); }

  async draw() {
    const found = await of(this.run.id, "decode", { latents: [this.z.map(plain)], codes: this.codes, moves: this.along.moves });
    this.image.src = found.images[0];
    this.copy.show(found);
    if (this.other) await this.beside();
  }

  /* The same latent in another model, to compare the two. */
  async beside() {
    try { this.second.src = (await of(this.other, "decode", { latents: [this.z.map(plain)], codes: this.codes })).images[0]; } catch (error) { toast(error.message); this.other = ""; this.others.value = ""; this.second.removeAttribute("src"); }
    this.second.parentElement.classList.toggle("hidden", !this.other);
  }

  comparing() {
    this.second = pic("", t("explore.second")); this.other = "";
    const options = [["", t("explore.alone")], ...this.runs.filter(run => run.id !== this.run.id).map(run => [run.id, run.name])];
    this.others = select(options, "", id => { this.other = id; this.second.parentElement.classList.toggle("hidden", !id); this.decode(); }, t("explore.beside"));
    return options.length > 1 ? card(t("explore.beside"), this.others, h("div", { class: "stage small hidden" }, this.second)) : null;
  }

  /* Once the hand rests: the address, variations around it, and the training images that are nearest. */
  async after() {
    if (this.fresh) keep({ z: this.z.map(plain).join(","), seed: null });
    const around = Array.from({ length: VARIATIONS }, () => this.nearby());
    const [varied, near] = await Promise.allSettled([of(this.run.id, "decode", { latents: around, codes: this.codes }), of(this.run.id, "neighbours", { latents: [this.z], codes: this.codes })]);
    if (varied.status === "fulfilled") fill(this.varied, varied.value.images.map((url, i) => h("button", { type: "button", "aria-label": t("explore.take", { n: i + 1 }), onclick: () => { this.z = around[i]; this.moved(); } }, pic(url, ""))));
    if (near.status === "fulfilled" && near.value.reading) {
      fill(this.near, h("p", { class: "small" }, t("explore.reading")), h("progress", { "aria-label": t("explore.reading") }));
      setTimeout(() => { if (this.near.isConnected) this.settle(); }, 2500);
    } else if (near.status === "fulfilled") fill(this.near, near.value.images.map((url, i) => h("figure", {}, pic(url, t("explore.nearest", { n: i + 1 })), h("figcaption", {}, near.value.distances[i]))));
    else fill(this.near, h("p", { class: "small" }, near.reason.message));
  }

  nearby() {
    const z = [...this.z];
    for (const axis of this.about.axes) z[axis.latent] += 0.55 * axis.spread * bell();
    return z;
  }
}

const plain = v => +v.toFixed(4); // as the address keeps it, so that a link shows the very same picture

const bell = () => Array.from({ length: 6 }, Math.random).reduce((a, b) => a + b, -3) * 1.4142;

const along = (ticks, part) => {
  const at = Math.min(ticks.length - 1.001, Math.max(0, part * ticks.length - 0.5)), i = Math.floor(at);
  return ticks[i] + (at - i) * (ticks[i + 1] - ticks[i]);
};

const inverse = (ticks, value) => {
  let i = 0;
  while (i < ticks.length - 2 && ticks[i + 1] < value) i++;
  return (i + (value - ticks[i]) / (ticks[i + 1] - ticks[i]) + 0.5) / ticks.length;
};
