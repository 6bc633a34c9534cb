// What the watchdog saw, with its remedies as buttons.
import { go, h, toast } from "./dom.js";
import { post } from "./api.js";
import { t } from "./words.js";

export function warned(warning, remedies, run) {
  if (!warning) return null;
  const viewing = document.body.classList.contains("view");
  const offered = (viewing ? [] : remedies || []).map(one => {
    const button = h("button", { type: "button", class: "mini", title: one.command, onclick: async () => {
      button.disabled = true;
      try { const job = await post("jobs/remedy", { run, remedy: one.name }); go("train", { job: job.number }); } catch (error) { toast(error.message); button.disabled = false; }
    } }, t(`remedy.${one.name}`));
    return button;
  });
  return h("div", { class: "warn tight", role: "alert" }, h("div", {}, warning), offered.length ? h("div", { class: "row" }, h("span", {}, t("remedy.try")), offered) : null);
}
