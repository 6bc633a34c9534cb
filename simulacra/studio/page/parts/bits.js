// Parts that rooms share: sliders, copying, pictures in, choosing a run, scrubbing.
import { fill, go, h, keep, later, place, save, toast, asFile } from "./dom.js";
import { get } from "./api.js";
import { t } from "./words.js";

export function head(title, lead, ...tools) {
  return h("div", { class: "head" }, h("div", {}, h("h1", {}, title), h("p", {}, lead)), tools.length ? h("div", { class: "row" }, ...tools) : null);
}

export function card(title, ...content) {
  return h("section", { class: "card tight" }, title ? h("h2", {}, title) : null, ...content);
}

export function slider({ label, low, high, step = "any", value, show = v => (+v).toFixed(2), long = false, oninput, title }) {
  const output = h("output", {}, show(value));
  const input = h("input", { type: "range", min: low, max: high, step, "aria-label": label, title });
  input.value = value;
  input.addEventListener("input", () => { output.textContent = show(input.value); oninput(+input.value); });
  const row = h("label", { class: long ? "slider long" : "slider" }, h("span", {}, label), input, output);
  row.set = v => { input.value = v; output.textContent = show(v); };
  return row;
}

export function choose(options, chosen, onchange, label) {
  const buttons = options.map(([value, text]) => h("button", { type: "button", class: "mini", "aria-pressed": String(value === chosen), onclick: () => pick(value) }, text));
  const pick = (value, quiet = false) => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(options[i][0] === value)));
    if (!quiet) onchange(value);
  };
  const group = h("div", { class: "group", role: "group", "aria-label": label }, buttons);
  group.pick = value => pick(value, true);
  return group;
}

export function select(options, chosen, onchange, label) {
  const element = h("select", { "aria-label": label, onchange: () => onchange(element.value) }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return element;
}

/* Copy as command, as Python, as a link. */
export function copying() {
  const bar = h("div", { class: "copy" });
  const copy = async text => {
    try { await navigator.clipboard.writeText(text); toast(t("copy.done"), 2); } catch { shown.textContent = text; shown.classList.remove("hidden"); }
  };
  const shown = h("pre", { class: "hidden", tabIndex: 0 });
  const button = (name, text) => h("button", { type: "button", class: "plain mini", title: text, onclick: () => copy(text) }, t(name));
  bar.show = ({ command = null, python = null } = {}) => fill(bar,
    command ? button("copy.command", command) : null, python ? button("copy.python", python) : null,
    h("button", { type: "button", class: "plain mini", onclick: () => copy(location.href) }, t("copy.link")), shown);
  bar.show();
  return bar;
}

export const pic = (src, alt, props = {}) => h("img", { src, alt, class: "pixel", draggable: false, ...props });

export function figure(src, caption, props = {}) {
  return h("figure", {}, pic(src, caption, props), h("figcaption", {}, caption));
}

/* A picture in: chosen, dropped or pasted. */
export function pictureIn(onpicture, { slim = true, label = t("picture.drop") } = {}) {
  const input = h("input", { type: "file", accept: "image/*", class: "sr", onchange: () => take(input.files[0]) });
  const take = file => {
    if (!file) return;
    const reader = new FileReader();
    reader.onload = () => onpicture(reader.result, file.name);
    reader.onerror = () => toast(t("error.file"));
    reader.readAsDataURL(file);
    input.value = "";
  };
  const box = h("div", { class: slim ? "drop slim" : "drop" }, label, h("div", { class: "row" }, h("label", { class: "button" }, t("picture.choose"), input)));
  dropping(box, event => take(event.dataTransfer.files[0]));
  box.paste = event => { const item = [...event.clipboardData.files][0]; if (item) take(item); };
  return box;
}

export function dropping(box, ondrop) {
  box.addEventListener("dragover", event => { event.preventDefault(); box.classList.add("over"); });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", event => { event.preventDefault(); box.classList.remove("over"); ondrop(event); });
}

/* The runs that can do something, one of them chosen and kept in the address. */
export async function pickRun(able, onrun) {
  const [own, shipped] = await Promise.all([get("runs"), get("shipped")]);
  const all = [...own, ...shipped.filter(one => !own.some(run => run.id === one.id))];
  const runs = all.filter(run => run.ready && !run.broken && able.some(name => run.abilities.includes(name)));
  if (!runs.length) return { runs, picker: null, chosen: null };
  const asked = place().params.get("run");
  const chosen = runs.find(run => run.id === asked) || runs.find(run => run.note.star) || runs[0];
  keep({ run: chosen.id });
  const picker = select(runs.map(run => [run.id, run.name]), chosen.id, id => { keep({ run: id, z: null, codes: null }); onrun(runs.find(run => run.id === id)); }, t("run.choose"));
  return { runs, picker, chosen };
}

export function noRun(lead) {
  return h("div", { class: "card empty" }, h("div", { class: "big", "aria-hidden": "true" }, Array.from({ length: 12 }, () => h("i"))),
    h("h2", {}, t("empty.title")), h("p", {}, lead), h("button", { class: "main", onclick: () => go("runs") }, t("empty.go")));
}

/* A slider over pictures that lie at addresses. */
export function scrubber(caption) {
  const image = h("img", { class: "pixel", alt: "" });
  const stage = h("div", { class: "stage wide" }, image);
  const input = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("scrub.label") });
  const output = h("span", { class: "soft small num" });
  let items = [], follow = true;
  const show = () => {
    const item = items[+input.value];
    if (!item) return;
    image.src = item.url; image.alt = caption(item); output.textContent = caption(item);
  };
  input.addEventListener("input", () => { follow = +input.value === items.length - 1; show(); });
  const box = h("div", { class: "tight" }, stage, h("div", { class: "row" }, h("div", { class: "grow" }, input), output));
  box.set = next => {
    items = next;
    input.max = Math.max(0, items.length - 1);
    if (follow) input.value = input.max;
    box.classList.toggle("hidden", !items.length);
    show();
  };
  box.set([]);
  return box;
}

export const saveButton = (url, name) => h("button", { type: "button", onclick: () => asFile(url(), name) }, t("picture.save"));
export { later, save };
