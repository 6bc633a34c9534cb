// Operations on a picture by hand: a chain, its preview, the command that does the same.
import { fill, h, keep, latest, later, place, save, toast } from "../parts/dom.js";
import { blob, get, post } from "../parts/api.js";
import { card, copying, head, pictureIn, saveButton, select, slider } from "../parts/bits.js";
import { t } from "../parts/words.js";

const SPAN = 4; // how far a slider goes for a parameter without an upper end, in units of its default

export async function show(root) {
  const operations = await get("operations"), byName = Object.fromEntries(operations.map(one => [one.name, one]));
  const before = h("img", { alt: t("dark.before") }), after = h("img", { alt: t("dark.after") }), copy = copying(), size = h("p", { class: "small num" });
  const chain = h("ol", { class: "chain" });
  let steps = read(place().params.get("steps"), byName), picture = null;

  const text = () => steps.map(step => [step.name, ...Object.entries(step.values).map(([key, value]) => `${key}=${value}`)].join(" ")).join(", ");
  const ask = latest(async () => {
    keep({ steps: text() });
    if (!picture) return;
    if (!steps.length) { after.src = picture; copy.show(); return; }
    const found = await post("transform", { picture, steps: text() });
    after.src = found.images[0]; size.textContent = `${found.width} × ${found.height}`; copy.show(found);
  });
  const asked = later(ask, 60);
  const draw = () => {
    fill(chain, steps.map((step, i) => h("li", {}, h("div", { class: "row ends" }, h("h2", {}, `${i + 1}. ${step.name}`), h("div", { class: "row" },
      i ? h("button", { type: "button", class: "plain mini", "aria-label": t("dark.up"), onclick: () => { [steps[i - 1], steps[i]] = [steps[i], steps[i - 1]]; draw(); } }, "↑") : null,
      h("button", { type: "button", class: "plain mini", "aria-label": t("dark.remove"), onclick: () => { steps.splice(i, 1); draw(); } }, "✕"))),
    h("p", { class: "small" }, byName[step.name].meaning), byName[step.name].parameters.map(one => control(one, step, asked)))));
    asked();
  };
  const groups = [...new Set(operations.map(one => one.group))];
  const adding = h("select", { "aria-label": t("dark.add"), onchange: () => { if (adding.value) { steps.push(fresh(byName[adding.value])); adding.value = ""; draw(); } } },
    h("option", { value: "" }, t("dark.add")), groups.map(group => h("optgroup", { label: group }, operations.filter(one => one.group === group).map(one => h("option", { value: one.name, title: one.meaning }, one.name)))));
  const given = url => { picture = url; before.src = url; views.classList.remove("hidden"); asked(); };
  const views = h("div", { class: "trio two hidden" }, h("figure", {}, before, h("figcaption", {}, t("dark.before"))), h("figure", {}, after, h("figcaption", {}, t("dark.after"))));
  const many = h("input", { type: "file", accept: "image/*", multiple: true, class: "sr", onchange: () => batch([...many.files]) });
  const several = h("label", { class: "button", id: "batch" }, t("dark.batch"), many);
  const batch = async files => {
    many.value = "";
    if (!files.length) return;
    if (!steps.length) return toast(t("dark.hint"));
    several.classList.add("busy");
    try { save(await blob("batch", { pictures: await Promise.all(files.map(async file => ({ name: file.name, picture: await address(file) }))), steps: text() }), "changed.zip"); toast(t("dark.batched", { n: files.length }), 4); } catch (error) { toast(error.message); }
    several.classList.remove("busy");
  };
  const drop = pictureIn(given, { slim: false, label: t("dark.drop") });
  root.append(head(t("room.darkroom"), t("dark.lead")), h("div", { class: "split" },
    h("div", { class: "stack" }, views, drop, h("div", { class: "row" }, saveButton(() => after.src, "changed.png"), several, size), copy),
    h("div", { class: "stack" }, card(t("dark.chain"), adding, steps.length ? null : h("p", { class: "small" }, t("dark.hint")), chain))));
  draw();
  sample().then(url => { if (!picture && url) given(url); }).catch(() => {});
  const paste = event => drop.paste(event);
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}

/* A first picture to play with: the newest sheet of a run. */
async function sample() {
  const runs = await get("runs"), run = runs.find(one => one.sheets?.samples?.length) || runs.find(one => one.ready && one.abilities?.includes("sample"));
  if (!run) return null;
  const last = run.sheets.samples?.at(-1), response = await fetch(`/api/runs/${encodeURIComponent(run.id)}/${last === undefined ? "cover" : `sheets/samples/${last}`}`), picture = await response.blob();
  return address(picture);
}

const address = file => new Promise((resolve, reject) => { const reader = new FileReader(); reader.onload = () => resolve(reader.result); reader.onerror = () => reject(new Error(t("error.file"))); reader.readAsDataURL(file); });

const fresh = operation => ({ name: operation.name, values: Object.fromEntries(operation.parameters.map(one => [one.name, start(one)])) });

/* Where a parameter starts: something that can be seen. */
function start(one) {
  if (one.choices.length || one.kind === "switch" || one.to === undefined) return one.default;
  const value = one.default !== 0 && one.kind === "odd" ? one.default : one.from < 0 || one.from < one.default ? one.to * 0.6 || one.default : one.to;
  return one.kind === "odd" ? 2 * Math.floor(value / 2) + 1 : one.kind === "whole" ? Math.round(value) : +value.toPrecision(3);
}

function control(one, step, asked) {
  const set = value => { step.values[one.name] = value; asked(); };
  const value = step.values[one.name];
  if (one.choices.length) return row(one, select(one.choices.map(choice => [choice, choice]), value, set, one.name));
  if (one.kind === "switch") return row(one, select([["true", t("on")], ["false", t("off")]], String(value), set, one.name));
  const scale = Math.max(Math.abs(one.default || 0), Math.abs(one.to ?? 0), 1), low = Math.max(one.low ?? -180, one.from !== undefined && one.low === undefined ? -180 : -1e6), high = Math.min(one.high ?? 180, one.high > 500 || one.high === undefined ? SPAN * scale : 1e6);
  const whole = one.kind === "whole" || one.kind === "odd";
  return slider({ label: one.name, title: one.meaning, low, high: Math.max(high, low + 1e-6), step: one.kind === "odd" ? 2 : whole ? 1 : (high - low) / 200, value, long: true, show: v => +(+v).toPrecision(3), oninput: v => set(whole ? Math.round(v) : +v.toPrecision(4)) });
}

const row = (one, input) => h("div", { class: "slider long", title: one.meaning }, h("span", {}, one.name), input, h("span"));

/* A chain from the address. */
function read(text, byName) {
  if (!text) return [];
  return text.split(",").map(part => part.trim().split(/\s+/)).filter(([name]) => byName[name]).map(([name, ...words]) => ({ name, values: { ...fresh(byName[name]).values, ...Object.fromEntries(words.map(word => word.split("=")).filter(([key]) => byName[name].parameters.some(one => one.name === key))) } }));
}
