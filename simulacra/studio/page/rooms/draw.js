// Draw or upload: what does the model make of it? Then change its latent.
import { fill, go, h, latest, toast } from "../parts/dom.js";
import { get, of } from "../parts/api.js";
import { card, copying, figure, head, noRun, pic, pickRun, pictureIn, saveButton, select, slider } from "../parts/bits.js";
import { paper } from "../parts/paper.js";
import { moving } from "../parts/moves.js";
import { remember } from "../parts/kept.js";
import { t } from "../parts/words.js";

export async function show(root) {
  const { picker, chosen } = await pickRun(["decode"], run => enter(body, run));
  if (!chosen) { root.append(head(t("room.draw"), t("draw.lead")), noRun(t("empty.explore"))); return; }
  const body = h("div", {});
  root.append(head(t("room.draw"), t("draw.lead"), picker), body);
  await enter(body, chosen);
}

async function enter(body, run) {
  const about = await get(`runs/${encodeURIComponent(run.id)}/sliders`);
  const encodes = run.abilities.includes("encode"), copy = copying(), grey = about.shape.channels === 1;
  const trio = h("div", { class: "trio" }), changed = pic("", t("draw.edited")), error = h("p", { class: "small num" });
  let picture = null, z = null, codes = {};

  const answer = found => {
    fill(trio, figure(found.images[0], t("draw.seen")), figure(found.images[1], t("draw.made")), figure(found.images[2], t("draw.difference")));
    error.textContent = t("draw.error", { n: found.error.toFixed(4) });
    z = found.latents[0]; codes = {}; along.still(); changed.src = found.images[1];
    rows.forEach(row => row.set(z[row.latent]));
    edit.classList.remove("hidden");
    copy.show(found);
  };
  const ask = latest(async () => { if (picture) answer(await of(run.id, "reconstruct", { picture })); });
  const search = h("button", { type: "button", class: encodes ? "" : "main", onclick: async () => {
    if (!picture) return toast(t("draw.first"));
    search.disabled = true; trio.classList.add("busy");
    try { answer(await of(run.id, "invert", { picture, steps: 200 })); } catch (failed) { toast(failed.message); }
    search.disabled = false; trio.classList.remove("busy");
  } }, t("draw.invert"));

  const sheet = paper({ ink: grey ? "#ffffff" : "#222222", ground: grey ? "#000000" : "#ffffff", onchange: url => { picture = url; if (url && encodes) ask(); } });
  const given = url => sheet.show(url).then(() => { picture = url; if (encodes) ask(); });
  const drop = pictureIn(given, { label: t("draw.drop") });
  const example = h("button", { type: "button", id: "example", onclick: async () => {
    try { const found = await of(run.id, "examples", { n: 1, seed: Math.floor(Math.random() * 1e6) }); await given(found.images[0]); } catch (failed) { toast(failed.message); }
  } }, t("draw.example"));

  const decode = latest(async () => { const found = await of(run.id, "decode", { latents: [z], codes, moves: along.moves }); changed.src = found.images[0]; copy.show(found); });
  const along = await moving(run, () => { if (z) decode(); });
  const rows = about.axes.map(axis => {
    const row = slider({ label: `z${axis.latent}`, low: axis.centre - 3 * axis.spread, high: axis.centre + 3 * axis.spread, value: axis.centre, oninput: value => { if (z) { z[axis.latent] = value; decode(); } } });
    row.latent = axis.latent;
    return row;
  });
  const edit = h("section", { class: "card stack hidden", id: "edit" }, h("h2", {}, t("draw.edit")), h("div", { class: "stage small" }, changed), h("div", { class: "sliders" }, rows), along.card,
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => { remember(run.id, { latent: [...z], image: changed.src }); toast(t("draw.kept"), 3); } }, t("explore.keep")),
      h("button", { type: "button", onclick: () => go("between", { run: run.id }) }, t("explore.walk")), saveButton(() => changed.src, `${run.name}.png`)));

  const plus = select(about.classes.map(name => [name, name]), about.classes[0], () => direct(), t("draw.plus")), minus = select(about.classes.map(name => [name, name]), about.classes[1], () => direct(), t("draw.minus"));
  const way = h("div", { class: "strip" });
  let strength = 1;
  const direct = latest(async () => {
    if (!picture) return toast(t("draw.first"));
    way.classList.add("busy");
    try {
      const found = await of(run.id, "arithmetic", { picture, plus: { label: plus.value }, minus: { label: minus.value }, steps: 7, strength });
      fill(way, found.images.map((url, i) => pic(url, `${t("draw.walk")} ${i + 1}`))); copy.show(found);
    } finally { way.classList.remove("busy"); }
  });
  const directions = about.classes.length > 1 && encodes && !about.codes.length ? card(t("draw.directions"), h("p", { class: "small" }, t("draw.directionshint")),
    h("div", { class: "form slim" }, h("label", { class: "field" }, t("draw.plus"), plus), h("label", { class: "field" }, t("draw.minus"), minus)),
    slider({ label: t("draw.strength"), low: -2, high: 3, step: 0.1, value: 1, long: true, oninput: value => { strength = value; direct(); } }), way) : null;

  fill(trio, h("p", {}, encodes ? t("draw.hint") : t("draw.hintinvert")));
  const paste = event => drop.paste(event);
  document.addEventListener("paste", paste);
  fill(body, h("div", { class: "hands" }, card(null, sheet.canvas, sheet.tools, h("div", { class: "row" }, example, search)),
    h("div", { class: "stack" }, card(t("draw.result"), h("div", { id: "result" }, trio), error), edit, directions, copy), drop));
  return () => document.removeEventListener("paste", paste);
}
