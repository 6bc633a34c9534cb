// A picture into the other domain, and back.
import { fill, h, keep, latest, place, toast } from "../parts/dom.js";
import { of } from "../parts/api.js";
import { card, choose, copying, figure, head, noRun, pic, pickRun, pictureIn, saveButton } from "../parts/bits.js";
import { paper } from "../parts/paper.js";
import { t } from "../parts/words.js";

const OTHER = { A: "B", B: "A" };

export async function show(root) {
  const { picker, chosen } = await pickRun(["translate"], run => enter(body, run));
  if (!chosen) { root.append(head(t("room.translate"), t("translate.lead")), noRun(t("empty.translate"))); return; }
  const body = h("div", {});
  root.append(head(t("room.translate"), t("translate.lead"), picker), body);
  await enter(body, chosen);
}

async function enter(body, run) {
  const result = h("div", { class: "trio big" }, h("p", {}, t("translate.hint"))), copy = copying(), strip = h("div", { class: "strip" });
  let to = place().params.get("to") === "A" ? "A" : "B", picture = null, domains = null, last = "";
  const ask = latest(async () => {
    if (!picture) return;
    result.classList.add("busy");
    try {
      const found = await of(run.id, "translate", { picture, to });
      const names = [t("translate.from", { d: OTHER[to] }), t("translate.to", { d: to }), t("translate.back", { d: OTHER[to] })];
      fill(result, found.images.map((url, i) => figure(url, names[i])));
      last = found.images[1]; copy.show(found);
    } finally { result.classList.remove("busy"); }
  });
  const sheet = paper({ ink: "#2f62e0", ground: "#ffffff", onchange: url => { picture = url; ask(); } });
  const examples = () => fill(strip, domains ? domains[OTHER[to] === "A" ? 0 : 1].map((url, i) => h("button", { type: "button", "aria-label": t("translate.example", { n: i + 1 }), onclick: () => { sheet.show(url); picture = url; ask(); } }, pic(url, ""))) : null);
  if (!run.directions.includes(to)) to = run.directions[0];
  const direction = choose(run.directions.map(name => [name, t(name === "B" ? "translate.ab" : "translate.ba")]), to, value => { to = value; keep({ to }); examples(); ask(); }, t("translate.direction"));
  fill(body, h("div", { class: "hands" },
    h("div", { class: "stack" }, card(t("translate.direction"), h("div", { id: "direction" }, direction)), card(t("translate.examples"), h("div", { id: "examples" }, strip))),
    h("div", { class: "stack" }, card(t("translate.result"), h("div", { id: "result" }, result), h("div", { class: "row" }, saveButton(() => last, "translated.png"))), copy),
    h("div", { class: "stack" }, card(t("translate.draw"), sheet.canvas, sheet.tools), pictureIn(url => { sheet.show(url); picture = url; ask(); }))));
  try {
    domains = (await of(run.id, "examples", { n: 16 })).domains || null;
    examples();
    if (domains) strip.querySelector("button")?.click();
  } catch (error) { fill(strip, h("p", { class: "small" }, error.message)); }
}
