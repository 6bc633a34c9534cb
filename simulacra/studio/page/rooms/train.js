// Choose a recipe and data, start, and watch: curves and sheets as they are written.
import { count, duration, fill, go, h, keep, place, toast } from "../parts/dom.js";
import { get, post, sheet } from "../parts/api.js";
import { card, copying, head, scrubber, select } from "../parts/bits.js";
import { curves } from "../parts/curves.js";
import { warned } from "../parts/warned.js";
import { t } from "../parts/words.js";

const BASIC = ["train.images", "train.minutes", "model.latent", "data.size"];

export async function show(root, params) {
  const live = h("div", { class: "stack" }), queue = h("div", {});
  let stream = null, split = null;
  const watch = number => { stream?.close(); stream = follow(live, number, refresh); keep({ job: number }); split.classList.add("watching"); refresh(); };
  const refresh = async () => { try { listing(queue, await get("jobs"), watch); } catch { /* the stream says so */ } };
  const viewing = document.body.classList.contains("view");
  root.append(head(t("room.train"), t("train.lead")), split = h("div", { class: "split wide" },
    h("div", { class: "stack" }, viewing ? h("div", { class: "card" }, t("view.only")) : await form(params, watch), queue), live));
  const jobs = await get("jobs");
  const asked = jobs.find(job => String(job.number) === params.get("job")) || jobs.find(job => job.state === "running");
  if (asked) watch(asked.number); else { fill(live, h("div", { class: "card empty" }, h("h2", {}, t("train.none")), h("p", {}, t("train.nonelead")))); listing(queue, jobs, watch); }
  const timer = setInterval(refresh, 4000);
  return () => { stream?.close(); clearInterval(timer); };
}

async function form(params, watch) {
  const [recipes, sets] = await Promise.all([get("recipes"), get("data")]);
  const here = recipes.filter(one => sets.some(set => set.name === one.data));
  const options = (here.length ? here : recipes).map(one => [one.name, `${one.name} · ${one.title}`]);
  let recipe = recipes.find(one => one.name === params.get("recipe")) || recipes.find(one => one.name === "quickstart");
  const changes = {}, fields = h("div", { class: "stack" }), about = h("p", { class: "small" });
  const data = select([["", t("train.owndata")], ...sets.map(set => [set.name, `${set.name} · ${set.title}`])], "", () => {}, t("train.data"));
  const name = h("input", { type: "text", maxLength: 60, placeholder: t("train.nameauto"), pattern: "[A-Za-z0-9._\\-]*" });
  const seed = h("input", { type: "number", min: 0, step: 1, value: 0 });
  const draw = async () => {
    about.textContent = [recipe.expect, recipe.time].filter(Boolean).join(" · ");
    for (const key of Object.keys(changes)) delete changes[key];
    keep({ recipe: recipe.name });
    const all = await get(`recipes/${encodeURIComponent(recipe.name)}`);
    const basic = BASIC.map(key => all.find(one => one.key === key)).filter(Boolean), rest = all.filter(one => !basic.includes(one));
    const sections = ["data", "model", "train"].map(section => h("details", {}, h("summary", {}, t(section === "data" ? "train.data2" : `train.${section}`)), h("div", { class: "form" }, rest.filter(one => one.key.startsWith(section)).map(one => field(one, changes)))));
    fill(fields, h("div", { class: "form slim" }, basic.map(one => field(one, changes))), h("div", { class: "row" }, start), h("div", {}, sections));
  };
  const choice = select(options, recipe.name, value => { recipe = recipes.find(one => one.name === value); draw().catch(error => toast(error.message)); }, t("train.recipe"));
  const start = h("button", { class: "main", type: "submit" }, t("train.start"));
  await draw();
  return h("form", { class: "card stack", onsubmit: async event => {
    event.preventDefault(); start.disabled = true;
    try { watch((await post("jobs", { recipe: recipe.name, data: data.value || null, options: changes, name: name.value || null, seed: +seed.value || null })).number); } catch (error) { toast(error.message); }
    start.disabled = false;
  } }, h("label", { class: "field" }, t("train.recipe"), choice), about, h("label", { class: "field" }, t("train.data"), data),
  h("div", { class: "form slim" }, h("label", { class: "field" }, t("train.name"), name), h("label", { class: "field" }, t("explore.seed"), seed)), fields);
}

function field(option, changes) {
  const short = option.key.split(".").slice(1).join(".");
  const changed = value => { if (String(value) === String(option.value ?? "")) delete changes[option.key]; else changes[option.key] = String(value); };
  let input;
  if (option.choices.length) input = select(option.choices.map(one => [String(one), String(one)]), String(option.value), changed, option.key);
  else if (option.kind === "switch") input = select([["true", t("on")], ["false", t("off")]], String(option.value), changed, option.key);
  else {
    input = h("input", { type: option.kind === "number" ? "number" : "text", min: option.ge ?? option.gt, max: option.le ?? option.lt, step: option.whole ? 1 : "any", placeholder: option.value === null ? t("train.absent") : "" });
    input.value = option.value ?? "";
    input.addEventListener("change", () => input.value === "" ? delete changes[option.key] : changed(input.value));
  }
  return h("label", { class: "field", title: option.meaning }, short, input, h("span", { class: "meaning" }, option.meaning));
}

function listing(box, jobs, watch) {
  const chosen = place().params.get("job");
  fill(box, jobs.length ? card(t("train.queue"), h("div", { class: "group" }, jobs.slice(0, 12).map(job =>
    h("button", { type: "button", class: "mini", "aria-pressed": String(String(job.number) === chosen), onclick: () => watch(job.number) }, `${job.run} · ${t(`state.${job.state}`)}`)))) : null);
}

/* Follow a training by its events; a stream that broke, as when the server was started anew, is opened again. */
function follow(box, number, changed) {
  const samples = scrubber(item => t("runs.step", { n: count(item.step) })), repeats = scrubber(item => t("runs.step", { n: count(item.step) }));
  const state = h("div", { class: "stack" }), charts = h("div", { id: "charts" }), copy = copying();
  let rows = [], job = null, before = null;
  const progress = () => {
    if (!job) return;
    const last = rows[rows.length - 1], total = job.total || 0, done = last ? last.images : 0, left = last && done ? last.seconds * (total - done) / done : NaN;
    const active = job.state === "running", button = (text, act, main = false) => h("button", { type: "button", class: main ? "main" : "", onclick: act }, text);
    const stop = () => post(`jobs/${number}/stop`).catch(error => toast(error.message));
    const again = () => post("jobs/resume", { run: job.run_id }).then(next => go("train", { job: next.number })).catch(error => toast(error.message));
    const viewing = document.body.classList.contains("view"), warning = [...rows].reverse().find(row => row.warning)?.warning;
    fill(state, card(null, h("div", { class: "row ends" }, h("h2", {}, job.run), h("span", { class: "badge" }, t(`state.${job.state}`))),
      total && last ? h("progress", { max: total, value: done, "aria-label": t("train.progress") }) : active ? h("progress", { "aria-label": t("train.progress") }) : null,
      h("p", { class: "small num" }, last ? [t("runs.images", { n: count(total ? Math.min(done, total) : done) + (total ? ` / ${count(total)}` : "") }), duration(last.seconds), active && Number.isFinite(left) ? t("train.left", { time: duration(left) }) : ""].filter(Boolean).join(" · ") : t(`statehint.${job.state}`)),
      job.error ? h("div", { class: "warn" }, job.error) : null, warned(warning, job.remedies, job.run_id),
      h("div", { class: "row" }, viewing ? null : ["running", "queued"].includes(job.state) ? button(t("train.stop"), stop) : job.state === "stopped" && job.run_id ? button(t("train.resume"), again, true) : null,
        job.state === "done" && job.run_id ? [h("a", { class: "button main", href: `#explore?run=${encodeURIComponent(job.run_id)}` }, t("room.explore")), h("a", { class: "button", href: `#between?run=${encodeURIComponent(job.run_id)}` }, t("room.between"))] : null,
        job.run_id ? h("a", { class: "button", href: `#runs?run=${encodeURIComponent(job.run_id)}` }, t("train.open")) : null),
      h("details", {}, h("summary", {}, t("train.log")), h("pre", {}, job.lines.join("\n")))));
    copy.show({ command: job.command });
  };
  const source = new EventSource(`/api/jobs/${number}/events`);
  const on = (name, act) => source.addEventListener(name, event => act(JSON.parse(event.data)));
  on("rows", found => { rows = found; fill(charts, curves(rows)); progress(); });
  on("more", found => { rows = [...rows, ...found]; fill(charts, curves(rows)); progress(); });
  on("sheets", found => {
    const items = kind => (found[kind] || []).map(step => ({ step, url: sheet(job?.run_id || run(), kind, step) }));
    samples.set(items("samples")); repeats.set(items("reconstructions"));
  });
  on("job", found => {
    job = found; progress();
    if (before !== job.state) { before = job.state; changed(); }
  });
  source.addEventListener("end", () => source.close());
  const run = () => job?.run_id || "";
  fill(box, state, h("div", { class: "card tight" }, h("h2", {}, t("runs.samples2")), samples, repeats), card(t("train.curves"), charts), copy);
  return source;
}
