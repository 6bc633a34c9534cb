// A lesson beside the room that it speaks of: what to look at, what to press, and how to go on.
import { fill, go, h, place, toast } from "./dom.js";
import { get, post } from "./api.js";
import { LESSONS, suited } from "../lessons/plan.js";
import english from "../lessons/en.js";
import chinese from "../lessons/zh.js";
import { language, t } from "./words.js";

const KEY = "lesson", DONE = "lessons-done";
export const text = lesson => (language === "zh" ? chinese : english)[lesson.id];

const read = (store, key) => { try { return JSON.parse(store.getItem(key)); } catch { return null; } };
const write = (store, key, value) => { try { if (value === null) store.removeItem(key); else store.setItem(key, JSON.stringify(value)); } catch { /* not allowed */ } };
export const done = id => (read(localStorage, DONE) || []).includes(id);

let panel = null, timer = 0, folded = false;

export function begin(id, at = 0) {
  write(sessionStorage, KEY, { id, at });
  lead(LESSONS.find(one => one.id === id), at);
}

/* Go to the room of a step with the run that suits it; without one, stay and say how to get it. */
async function lead(lesson, at) {
  const step = lesson.steps[at];
  let run = null;
  if (step.run) {
    try { const [own, shipped] = await Promise.all([get("runs"), get("shipped")]); run = suited([...own, ...shipped], step.run); } catch (error) { toast(error.message); }
    if (!run) { show(lesson, at, step.run); return; }
  }
  const before = location.hash;
  go(step.room, { ...(run ? { run: run.id } : {}), ...(step.params || {}), lesson: `${lesson.id}.${at + 1}` });
  if (location.hash === before) guide();
}

/* Show the lesson that goes on, wherever the reader is; called whenever a room was entered. */
export function guide() {
  const [named, number] = (place().params.get("lesson") || "").split(".");
  let now = read(sessionStorage, KEY);
  if (LESSONS.some(one => one.id === named)) write(sessionStorage, KEY, now = { id: named, at: Math.max(0, (Number(number) || 1) - 1) });
  const lesson = now && LESSONS.find(one => one.id === now.id);
  if (!lesson || place().room === "lessons") { close(false); return; }
  show(lesson, Math.min(now.at, lesson.steps.length - 1));
}

function close(end = true) {
  if (end) write(sessionStorage, KEY, null);
  clearInterval(timer); panel?.remove(); panel = null;
  document.body.classList.remove("guided");
  light([]);
}

function show(lesson, at, missing = null) {
  const step = lesson.steps[at], said = text(lesson), last = at === lesson.steps.length - 1, there = !missing && place().room === step.room;
  panel ||= document.body.appendChild(h("aside", { class: "guide", "aria-label": t("lessons.panel") }));
  document.body.classList.add("guided");
  const next = () => { if (!last) return begin(lesson.id, at + 1); write(localStorage, DONE, [...new Set([...(read(localStorage, DONE) || []), lesson.id])]); close(); go("lessons"); };
  const content = h("div", { class: "stack" }, missing ? h("div", {}, h("p", {}, t("lessons.missing")), h("pre", {}, missing.say)) : h("p", { class: "said" }, said.steps[at]),
    last && !missing ? h("div", { class: "tight" }, h("p", {}, h("b", {}, `${t("lessons.try")} `), said.try), h("details", {}, h("summary", {}, said.question), h("p", {}, said.answer))) : null,
    h("div", { class: "row ends" }, at ? h("button", { type: "button", class: "mini", onclick: () => begin(lesson.id, at - 1) }, t("lessons.back")) : h("span", {}),
      h("div", { class: "row" }, missing && !document.body.classList.contains("view") ? h("button", { type: "button", class: "mini", onclick: () => train(missing) }, t("lessons.train")) : null,
        there || missing ? null : h("button", { type: "button", class: "mini", onclick: () => begin(lesson.id, at) }, t("lessons.there")),
        h("button", { type: "button", class: "mini main", onclick: next }, last ? t("lessons.end") : t("lessons.next")))));
  const fold = h("button", { type: "button", class: "plain mini", "aria-expanded": String(!folded), "aria-label": t("lessons.fold"), onclick: () => { folded = !folded; content.classList.toggle("hidden", folded); fold.textContent = folded ? "▴" : "▾"; fold.setAttribute("aria-expanded", String(!folded)); } }, folded ? "▴" : "▾");
  content.classList.toggle("hidden", folded);
  fill(panel, h("div", { class: "row ends" }, h("div", { class: "grow" }, h("h2", {}, said.title), h("span", { class: "soft small num" }, t("lessons.at", { n: at + 1, m: lesson.steps.length }))), h("div", {}, fold, h("button", { type: "button", class: "plain mini", "aria-label": t("lessons.close"), onclick: () => close() }, "✕"))), content);
  clearInterval(timer);
  const lit = there ? step.lit : [];
  light(lit);
  timer = setInterval(() => light(lit), 700); // rooms draw their parts anew
}

const light = selectors => {
  const wanted = new Set(selectors.flatMap(selector => [...document.querySelectorAll(`main ${selector}`)]));
  for (const element of document.querySelectorAll(".lit")) if (!wanted.has(element)) element.classList.remove("lit");
  for (const element of wanted) element.classList.add("lit");
};

async function train(need) {
  try { const job = await post("jobs", need.train); go("train", { job: job.number }); } catch (error) { toast(error.message); }
}
