// Eight guided pages: each leads through the real rooms.
import { h } from "../parts/dom.js";
import { head } from "../parts/bits.js";
import { begin, done, text } from "../parts/guide.js";
import { LESSONS } from "../lessons/plan.js";
import { t } from "../parts/words.js";

export async function show(root) {
  root.append(head(t("room.lessons"), t("lessons.lead")), h("ol", { class: "lessons" }, LESSONS.map((lesson, i) => h("li", { class: "card" },
    h("h2", {}, `${i + 1}. ${text(lesson).title}`), h("p", {}, text(lesson).lead),
    h("div", { class: "row ends" }, h("button", { type: "button", class: i ? "" : "main", "aria-label": `${t("lessons.start")}: ${text(lesson).title}`, onclick: () => begin(lesson.id) }, t("lessons.start")),
      h("span", { class: "soft small" }, done(lesson.id) ? `✓ ${t("lessons.done")}` : t("lessons.steps", { n: lesson.steps.length })))))));
}
