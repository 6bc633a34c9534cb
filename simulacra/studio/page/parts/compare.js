// Two runs side by side: the same seed, and sliders that are locked together.
import { fill, h, keep, latest, toast } from "./dom.js";
import { get, of } from "./api.js";
import { card, head, pic, select, slider } from "./bits.js";
import { t } from "./words.js";

const SAMPLES = 12, REACH = 2.5, MOST = 8;

/* A latent of a run: its start, moved along the axes that matter most to it, each by so many of its spreads. */
const moved = (about, values) => { const z = [...about.origin]; about.axes.slice(0, MOST).forEach((axis, k) => { if (values[k]) z[axis.latent] = +(axis.centre + values[k] * axis.spread).toFixed(4); }); return z; };

export async function compare(root, params) {
  const [own, shipped] = await Promise.all([get("runs"), get("shipped")]);
  const runs = [...own, ...shipped.filter(one => !own.some(run => run.id === one.id))].filter(run => run.ready && !run.broken && run.abilities.includes("sample"));
  const ids = [params.get("one"), params.get("two")].map((id, i) => runs.find(run => run.id === id)?.id || runs[Math.min(i, runs.length - 1)]?.id);
  root.append(head(t("runs.compare"), t("compare.lead"), h("a", { class: "button", href: "#runs" }, t("runs.back"))));
  if (!runs.length) { root.append(h("div", { class: "card empty" }, h("p", {}, t("empty.explore")))); return; }
  let seed = Number(params.get("seed")) || 0, values = [];
  const sides = ids.map((id, i) => side(id, i)), rows = h("div", { class: "sliders" });

  function side(id, i) {
    const one = { id, image: pic("", t("explore.image")), strip: h("div", { class: "strip" }), facts: h("p", { class: "small num" }), about: null };
    one.picker = select(runs.map(run => [run.id, run.name]), id, next => { one.id = next; keep({ [i ? "two" : "one"]: next }); enter(one).then(sliders); }, t("compare.run", { n: i + 1 }));
    one.box = h("div", { class: "stack" }, card(null, one.picker, one.facts, h("div", { class: "stage" }, one.image)), card(t("compare.samples"), one.strip));
    return one;
  }
  async function enter(one) {
    try {
      one.about = await get(`runs/${encodeURIComponent(one.id)}/sliders`);
      const run = runs.find(other => other.id === one.id);
      one.facts.textContent = [run.family, run.data, ...Object.entries(run.scores || {}).slice(0, 2).map(([name, value]) => `${name} ${value === null ? "–" : +value.toPrecision(4)}`)].join(" · ");
      await Promise.all([draw(one), sample(one)]);
    } catch (error) { toast(error.message); }
  }
  const draw = async one => { one.image.src = (await of(one.id, "decode", { latents: [moved(one.about, values)] })).images[0]; };
  const sample = async one => { fill(one.strip, (await of(one.id, "sample", { n: SAMPLES, seed })).images.map((url, k) => pic(url, t("compare.sample", { n: k + 1 })))); };
  const both = latest(() => Promise.all(sides.filter(one => one.about).map(draw)));
  const again = latest(() => Promise.all(sides.map(sample)));
  const sliders = () => {
    const count = Math.min(MOST, ...sides.map(one => one.about?.axes.length ?? 0));
    fill(rows, Array.from({ length: count }, (_, k) => slider({ label: t("compare.axis", { n: k + 1 }), low: -REACH, high: REACH, value: values[k] || 0, oninput: value => { values[k] = value; both(); } })));
  };
  const start = h("input", { type: "number", min: 0, step: 1, value: seed, "aria-label": t("explore.seed") });
  start.addEventListener("change", () => { seed = Math.max(0, Math.floor(+start.value)); keep({ seed }); again(); });
  root.append(h("div", { class: "stack" }, card(t("compare.locked"), h("p", { class: "small" }, t("compare.hint")), rows, h("div", { class: "row" }, h("label", { class: "field" }, t("explore.seed"), start), h("button", { type: "button", class: "plain mini", onclick: () => { values = []; sliders(); both(); } }, t("explore.reset")))),
    h("div", { class: "two" }, sides.map(one => one.box))));
  keep({ compare: 1, one: ids[0], two: ids[1] });
  await Promise.all(sides.map(enter));
  sliders();
}
