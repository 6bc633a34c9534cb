// What was measured: scores with their conditions, and the pages of evaluations.
import { fill, h, keep, place, short } from "../parts/dom.js";
import { get } from "../parts/api.js";
import { card, copying, head, select } from "../parts/bits.js";
import { t } from "../parts/words.js";

export async function show(root) {
  const runs = (await get("runs")).filter(run => run.ready && !run.broken);
  if (!runs.length) { root.append(head(t("room.measure"), t("measure.lead")), h("div", { class: "card empty" }, h("h2", {}, t("empty.title")), h("p", {}, t("empty.explore")), h("a", { class: "button main", href: "#runs" }, t("empty.go")))); return; }
  const measured = runs.filter(run => run.pages.includes("evaluation"));
  const chosen = runs.find(run => run.id === place().params.get("run")) || measured[0] || runs[0], body = h("div", { class: "stack" });
  const picker = select(runs.map(run => [run.id, run.pages.includes("evaluation") ? `${run.name} ✓` : run.name]), chosen.id, id => enter(body, runs.find(run => run.id === id)), t("run.choose"));
  root.append(head(t("room.measure"), t("measure.lead"), picker), body);
  await enter(body, chosen);
}

async function enter(body, run) {
  keep({ run: run.id });
  const found = await get(`runs/${encodeURIComponent(run.id)}/evaluation`), copy = copying(), scores = Array.isArray(found.scores) ? found.scores : [];
  copy.show({ command: found.command });
  const page = name => `/api/runs/${encodeURIComponent(run.id)}/pages/${name}`;
  const name = ["evaluation", "report"].find(one => run.pages.includes(one));
  fill(body, scores.length ? card(t("measure.scores"), h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, [t("measure.metric"), t("measure.value"), t("measure.conditions")].map(text => h("th", {}, text)))),
    h("tbody", {}, scores.map(score => h("tr", {}, h("td", {}, score.metric), h("td", { class: "num" }, `${short(score.value)} ${score.unit || ""}`), h("td", { class: "small soft" }, conditions(score))))))))
    : card(t("measure.none"), h("p", {}, t("measure.how")), h("pre", {}, found.command)),
  name ? card(t(`measure.${name}`), h("div", { class: "row" }, h("a", { class: "button", href: page(name), target: "_blank", rel: "noopener" }, t("measure.window"))), h("iframe", { src: page(name), title: t(`measure.${name}`), sandbox: "allow-scripts" })) : null, copy);
}

const conditions = score => ["n", "split", "features", "seed", "direction"].filter(key => score[key] !== undefined && score[key] !== null).map(key => `${key} ${score[key]}`).join(" · ");
