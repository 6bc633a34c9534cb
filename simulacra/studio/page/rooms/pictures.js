// From your own folder to a training: drop, look, plan, start.
import { count, fill, go, h, toast } from "../parts/dom.js";
import { get, post, send } from "../parts/api.js";
import { card, dropping, head, pic, slider } from "../parts/bits.js";
import { t } from "../parts/words.js";

const BATCH = 40, BATCH_BYTES = 64 << 20;

export async function show(root) {
  const body = h("div", { class: "stack" });
  root.append(head(t("room.pictures"), t("pictures.lead")), body);
  if (document.body.classList.contains("view")) fill(body, h("div", { class: "card" }, t("view.only"))); else ask(body);
}

function ask(body) {
  const folder = h("input", { type: "file", webkitdirectory: true, multiple: true, class: "sr", onchange: () => take([...folder.files].map(file => [file.webkitRelativePath || file.name, file])) });
  const files = h("input", { type: "file", multiple: true, accept: "image/*,.zip", class: "sr", onchange: () => take([...files.files].map(file => [file.name, file])) });
  const box = h("div", { class: "drop" }, h("h2", {}, t("pictures.drop")), h("p", {}, t("pictures.kinds")),
    h("div", { class: "row" }, h("label", { class: "button main" }, t("pictures.folder"), folder), h("label", { class: "button" }, t("pictures.zip"), files)));
  const take = async found => {
    if (!found.length) return;
    try { await upload(body, found); } catch (error) { toast(error.message); ask(body); }
  };
  dropping(box, async event => {
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
    const found = entries.length ? (await Promise.all(entries.map(entry => walk(entry, "")))).flat() : [...event.dataTransfer.files].map(file => [file.name, file]);
    take(found);
  });
  fill(body, box);
}

/* Every file below a folder that was dropped, with its path from there. */
async function walk(entry, path) {
  if (entry.isFile) return [[path + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) if (!one.name.startsWith(".")) found.push(...await walk(one, `${path}${entry.name}/`));
  }
}

async function upload(body, found) {
  const roots = new Set(found.map(([path]) => path.split("/")[0])), one = roots.size === 1 && found.every(([path]) => path.includes("/"));
  const name = found.length === 1 ? found[0][0] : one ? [...roots][0] : "pictures";
  const bar = h("progress", { max: found.length, value: 0, "aria-label": t("pictures.sending") }), said = h("p", { class: "small num" }, t("pictures.sending"));
  fill(body, card(t("pictures.sending"), bar, said));
  const set = await post("uploads?name=" + encodeURIComponent(name)), refused = [];
  for (let at = 0; at < found.length;) {
    const form = new FormData();
    let bytes = 0, first = at;
    while (at < found.length && at - first < BATCH && (at === first || bytes + found[at][1].size < BATCH_BYTES)) {
      const path = one ? found[at][0].split("/").slice(1).join("/") : found[at][0];
      form.append("files", found[at][1], path); bytes += found[at][1].size; at++;
    }
    refused.push(...(await send(`uploads/${set.id}/files`, form)).refused);
    bar.value = at; said.textContent = `${count(at)} / ${count(found.length)}`;
  }
  await look(body, set, refused);
}

async function look(body, set, refused) {
  fill(body, card(t("pictures.looking"), h("progress", { "aria-label": t("pictures.looking") })));
  const found = await get(`uploads/${set.id}/survey`), problems = [...refused, ...found.damaged];
  const plan = h("div", { class: "stack" });
  let minutes = 10;
  fill(body, card(t("pictures.found", { name: set.name, n: count(found.count) }), h("ul", { class: "lines" }, found.lines.map(line => h("li", {}, line))),
    problems.length ? h("details", {}, h("summary", {}, t("pictures.refused", { n: count(problems.length) })), h("ul", { class: "lines small" }, problems.slice(0, 100).map(line => h("li", {}, line)))) : null),
  card(t("pictures.crops"), h("div", { class: "strip large" }, found.crops.map((url, i) => pic(url, t("pictures.crop", { n: i + 1 }))))),
  card(t("pictures.time"), slider({ label: t("pictures.minutes"), low: 1, high: 120, step: 1, value: minutes, long: true, show: v => t("pictures.min", { n: v }), oninput: value => { minutes = value; } }),
    h("div", { class: "row" }, h("button", { type: "button", class: "main", onclick: event => propose(event.target) }, t("pictures.plan")), h("button", { type: "button", class: "plain", onclick: () => ask(body) }, t("pictures.other")))),
  plan);

  async function propose(button) {
    button.disabled = true;
    fill(plan, card(t("pictures.measuring"), h("progress", { "aria-label": t("pictures.measuring") })));
    try {
      const proposed = await post(`uploads/${set.id}/plan`, { minutes }), asked = minutes;
      const start = h("button", { type: "button", class: "main", onclick: async () => {
        start.disabled = true;
        try { go("train", { job: (await post("jobs", { recipe: "pictures", upload: set.id, minutes: asked })).number }); } catch (error) { toast(error.message); start.disabled = false; }
      } }, t("train.start"));
      fill(plan, card(t("pictures.planned"), h("ul", { class: "lines" }, proposed.lines.filter(line => !found.lines.includes(line)).map(line => h("li", {}, line))), h("div", { class: "row" }, start)));
    } catch (error) { fill(plan); toast(error.message); }
    button.disabled = false;
  }
}
