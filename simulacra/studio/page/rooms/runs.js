// The gallery, and one run with its sheets, curves and config.
import { count, duration, fill, go, h, keep, short, toast } from "../parts/dom.js";
import { get, post, put, sheet } from "../parts/api.js";
import { card, copying, head, scrubber } from "../parts/bits.js";
import { compare } from "../parts/compare.js";
import { curves } from "../parts/curves.js";
import { warned } from "../parts/warned.js";
import { t } from "../parts/words.js";

export async function show(root, params) {
  if (params.get("compare")) return compare(root, params);
  return params.get("run") ? one(root, params.get("run")) : all(root);
}

const newest = run => Object.entries(run.sheets || {}).filter(([, steps]) => steps.length).map(([kind, steps]) => sheet(run.id, kind, steps[steps.length - 1]))[0]
  || (run.ready && run.abilities?.includes("sample") ? `/api/runs/${encodeURIComponent(run.id)}/cover` : null);

async function all(root) {
  const runs = await get("runs");
  if (!runs.length) { root.append(head(t("room.runs"), t("runs.lead")), first()); return; }
  const grid = h("div", { class: "gallery" }), search = h("input", { type: "search", placeholder: t("runs.filter"), "aria-label": t("runs.filter") });
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = runs.filter(run => [run.name, run.family, run.data, run.recipe, run.note.text].join(" ").toLowerCase().includes(wanted));
    found.sort((a, b) => Number(Boolean(b.note.star)) - Number(Boolean(a.note.star)));
    fill(grid, found.map(tile), found.length ? null : h("p", {}, t("runs.none")));
  };
  search.addEventListener("input", draw);
  root.append(head(t("room.runs"), t("runs.lead"), search, runs.length > 1 ? h("a", { class: "button", href: "#runs?compare=1" }, t("runs.compare")) : null, h("a", { class: "button main", href: "#train" }, t("runs.new"))), ...(runs.every(run => run.id.startsWith("zoo:")) ? [first(), h("h2", { class: "after" }, t("runs.shipped"))] : []), grid);
  draw();
}

function tile(run) {
  const url = newest(run);
  const star = h("button", { class: "star", type: "button", "aria-label": t("runs.star", { name: run.name }), "aria-pressed": String(Boolean(run.note.star)) }, "★");
  star.addEventListener("click", async () => {
    const note = { star: !run.note.star, text: run.note.text || "" };
    try { run.note = await put(`runs/${encodeURIComponent(run.id)}/note`, note); star.setAttribute("aria-pressed", String(run.note.star)); } catch (error) { toast(error.message); }
  });
  return h("article", {}, star,
    h("div", { class: "sheet" }, url ? h("img", { src: url, alt: t("runs.samples", { name: run.name }), loading: "lazy" }) : h("span", {}, t("runs.nosheet"))),
    h("div", { class: "about" }, h("h2", { class: "wrap" }, h("a", { href: `#runs?run=${encodeURIComponent(run.id)}` }, run.name)),
      run.broken ? h("p", { class: "small" }, run.broken) : h("p", { class: "small num" }, [run.family, run.data, run.images ? t("runs.images", { n: short(run.images) }) : null].filter(Boolean).join(" · ")),
      run.images && run.images < run.total ? h("progress", { max: run.total, value: run.images, "aria-label": t("train.progress") }) : null));
}

export function first() {
  const button = h("button", { class: "main", type: "button" }, t("empty.quickstart"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { const job = await post("jobs", { recipe: "quickstart" }); go("train", { job: job.number }); } catch (error) { toast(error.message); button.disabled = false; }
  });
  return h("div", { class: "card empty" }, h("div", { class: "big", "aria-hidden": "true" }, Array.from({ length: 12 }, () => h("i"))),
    h("h2", {}, t("empty.title")), h("p", {}, t("empty.lead")), h("div", { class: "row", }, h("span", { class: "grow" }), button, h("a", { class: "button", href: "#pictures" }, t("empty.own")), h("span", { class: "grow" })));
}

async function one(root, id) {
  const [run, rows] = await Promise.all([get(`runs/${encodeURIComponent(id)}`), get(`runs/${encodeURIComponent(id)}/history`)]);
  const kinds = Object.keys(run.sheets).filter(kind => run.sheets[kind].length);
  const film = kinds.map(kind => {
    const box = scrubber(item => t("runs.step", { n: count(item.step) }));
    box.set(run.sheets[kind].map(step => ({ step, url: sheet(id, kind, step) })));
    return card(t(kind === "samples" ? "runs.samples2" : "runs.reconstructions"), box);
  });
  const copy = copying();
  copy.show({ command: run.command, python: run.python });
  const able = run.ready ? run.abilities : [];
  const rooms = [["explore", "decode"], ["draw", "decode"], ["between", "decode"], ["mend", "decode"], ["translate", "translate"]].filter(([, needs]) => able.includes(needs));
  const text = h("textarea", { rows: 2, placeholder: t("runs.note"), "aria-label": t("runs.note") });
  text.value = run.note.text || "";
  text.addEventListener("change", () => put(`runs/${encodeURIComponent(id)}/note`, { star: Boolean(run.note.star), text: text.value }).catch(error => toast(error.message)));
  root.append(
    head(run.name, [run.recipe, run.family, run.data].join(" · "), h("a", { class: "button", href: "#runs" }, t("runs.back")), more(run)),
    h("div", { class: "stack" },
      h("div", { class: "row" }, rooms.map(([room]) => h("a", { class: room === rooms[0][0] ? "button main" : "button", href: `#${room}?run=${encodeURIComponent(id)}` }, t(`room.${room}`))),
        run.pages.map(page => h("a", { class: "button", target: "_blank", rel: "noopener", href: `/api/runs/${encodeURIComponent(id)}/pages/${page}` }, t(`measure.${page}`)))),
      warned(run.warning, run.busy ? [] : run.remedies, id),
      h("div", { class: "facts" }, run.images ? [fact(count(run.images), t("facts.images")), fact(duration(run.seconds), t("facts.time"))] : null, Object.entries(run.scores).map(([name, value]) => fact(short(value), name))),
      h("div", { class: "split" }, film[0], h("div", { class: "stack" }, film[1], rows.length > 1 ? card(t("train.curves"), curves(rows)) : null)),
      card(null, text, h("details", {}, h("summary", {}, t("runs.config")), h("pre", {}, run.config)), copy)));
  keep({ run: id });
}

const fact = (value, name) => h("div", {}, h("b", {}, value), h("span", {}, name));

function more(run) {
  if (run.busy || !run.images || document.body.classList.contains("view")) return null;
  const finished = run.images >= run.total, longer = finished ? run.total * 2 : null;
  const button = h("button", { type: "button" }, finished ? t("train.longer") : t("train.resume"));
  button.addEventListener("click", async () => {
    try { const job = await post("jobs/resume", { run: run.id, images: longer }); go("train", { job: job.number }); } catch (error) { toast(error.message); }
  });
  return button;
}
