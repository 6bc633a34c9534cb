// The data as a model sees it: a map of test pictures, a lasso, new pictures like the chosen ones, directions.
import { fill, go, h, latest, toast } from "../parts/dom.js";
import { get, of, put } from "../parts/api.js";
import { card, choose, copying, head, noRun, pic, pickRun, select } from "../parts/bits.js";
import { lassoed } from "../parts/lasso.js";
import { t } from "../parts/words.js";

const SHOWN = 24;

export async function show(root) {
  const { picker, chosen } = await pickRun(["encode"], run => enter(body, run));
  if (!chosen) { root.append(head(t("room.map"), t("map.lead")), noRun(t("empty.map"))); return; }
  const body = h("div", {});
  root.append(head(t("room.map"), t("map.lead"), picker), body);
  await enter(body, chosen);
}

async function enter(body, run) {
  fill(body, h("p", { class: "small" }, t("map.reading")), h("progress", { "aria-label": t("map.reading") }));
  const map = await of(run.id, "map", { n: 500 }), copy = copying();
  copy.show(map);
  const told = h("p", { class: "small num", role: "status" }), some = h("div", { class: "strip" }), new_ = h("div", { class: "strip" }), near = h("div", { class: "strip" });
  const lasso = lassoed(map, indices => { told.textContent = indices.length ? t("map.chosen", { n: indices.length }) : t("map.hint"); fill(some, indices.slice(0, SHOWN).map(i => lasso.thumbnail(i))); likely.disabled = toChosen.disabled = !indices.length; });
  const like = latest(async () => {
    new_.classList.add("busy");
    const found = await of(run.id, "more", { chosen: lasso.chosen(), seed: Math.floor(Math.random() * 1e6) });
    new_.classList.remove("busy");
    fill(new_, found.images.map((url, i) => h("button", { type: "button", "aria-label": t("map.explore", { n: i + 1 }), onclick: () => go("explore", { run: run.id, z: found.latents[i].map(v => +v.toFixed(4)).join(",") }) }, pic(url, ""))));
    fill(near, found.near.map((url, i) => h("button", { type: "button", "aria-label": t("map.add", { n: i + 1 }), onclick: () => lasso.add(found.indices[i]) }, pic(url, ""))));
    copy.show(found);
  });
  const likely = h("button", { type: "button", class: "main", id: "more", disabled: true, onclick: () => like() }, t("map.more"));
  const named = [...map.classes].map((name, i) => [i, name]).filter(([i]) => map.labels?.includes(i));
  const byClass = named.length ? choose(named, null, label => lasso.choose(map.labels.map((one, i) => one === label ? i : -1).filter(i => i >= 0)), t("map.class")) : null;
  const ways = h("div", { class: "stack" }), kept = h("div", { class: "group" });
  const listed = names => fill(kept, names.length ? names.map(name => h("button", { type: "button", class: "mini", title: t("map.forget"), "aria-label": t("map.forgetone", { name }), onclick: async () => { try { listed(await of(run.id, "forget", { name })); } catch (error) { toast(error.message); } } }, `${name} ✕`)) : h("span", { class: "small soft" }, t("map.nokept")));
  const search = async ask => {
    ways.classList.add("busy");
    try { fill(ways, (await of(run.id, "find", ask)).map(way)); } catch (error) { toast(error.message); }
    ways.classList.remove("busy");
  };
  const way = found => {
    const name = h("input", { type: "text", value: found.name, maxLength: 60, "aria-label": t("map.name") });
    const keep = h("button", { type: "button", class: "mini", onclick: async () => { try { listed(await put(`runs/${encodeURIComponent(run.id)}/directions`, { name: name.value.trim() || found.name, vector: found.vector })); toast(t("map.kept"), 4); } catch (error) { toast(error.message); } } }, t("map.keep"));
    return h("div", { class: "tight" }, h("div", { class: "walk" }, found.images.map((url, i) => pic(url, `${found.name} ${i + 1}`))), document.body.classList.contains("view") ? h("span", {}, found.name) : h("div", { class: "row" }, h("div", { class: "grow" }, name), keep));
  };
  const toChosen = h("button", { type: "button", class: "mini", disabled: true, onclick: () => search({ kind: "chosen", chosen: lasso.chosen() }) }, t("map.tochosen"));
  const names = named.map(([, name]) => [name, name]), plus = select(names, names[1]?.[0], () => {}, t("draw.plus")), minus = select(names, names[0]?.[0], () => {}, t("draw.minus"));
  fill(body, h("div", { class: "hands" },
    h("div", { class: "stack" }, card(null, lasso.stage, lasso.tools, h("p", { class: "small" }, map.plane ? t("map.plane") : t("map.shown", { n: Math.round(100 * map.shown) })))),
    h("div", { class: "stack" },
      card(t("map.picked"), told, byClass, some, h("div", { class: "row" }, likely, h("button", { type: "button", class: "plain mini", onclick: () => lasso.choose([]) }, t("draw.clear"))), h("h2", {}, t("map.new")), new_, h("h2", {}, t("map.near")), near),
      card(t("map.directions"), h("p", { class: "small" }, t("map.directionshint")),
        h("div", { class: "row" }, h("button", { type: "button", class: "mini", id: "components", onclick: () => search({ kind: "components" }) }, t("map.components")), toChosen),
        names.length > 1 ? h("div", { class: "row" }, minus, "→", plus, h("button", { type: "button", class: "mini", onclick: () => search({ kind: "classes", plus: plus.value, minus: minus.value }) }, t("map.find"))) : null,
        ways, h("h2", {}, t("map.keptones")), kept, h("a", { class: "button", href: `#draw?run=${encodeURIComponent(run.id)}` }, t("map.apply")))), copy));
  lasso.choose([]);
  listed(await get(`runs/${encodeURIComponent(run.id)}/directions`));
}
