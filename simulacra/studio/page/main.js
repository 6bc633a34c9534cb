// Which room is shown, and the way between them.
import { fill, h, place, toast } from "./parts/dom.js";
import { get } from "./parts/api.js";
import { guide } from "./parts/guide.js";
import { language, t } from "./parts/words.js";

const icons = {
  runs: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z", explore: "M3 6h8m4 0h2M3 14h2m4 0h8M11 4v4M5 12v4", draw: "M4 16l1-4 8-8 3 3-8 8zM11 6l3 3",
  between: "M3 5h4v10H3zM13 5h4v10h-4zM8.500 10h3", train: "M3 16l4-5 3 3 6-8M3 3v14h14", pictures: "M3 4h14v12H3zM3 14l4-4 3 3 3-4 4 5M7 7.500h.010",
  translate: "M3 7h12l-3-3M17 13H5l3 3", darkroom: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14", measure: "M3 17V9h3v8M8.500 17V4h3v13M14 17v-6h3v6", map: "M3 5l5-2 4 2 5-2v12l-5 2-4-2-5 2zM8 3v12M12 5v12", play: "M4 6h5v8H4zM12 4l4 2v8l-4 2M6.500 3v3", lessons: "M3 5c3-1.500 5-1 7 .5 2-1.500 4-2 7-.5v10c-3-1.500-5-1-7 .5-2-1.500-4-2-7-.5zM10 5.500v10", mend: "M4 10a6 6 0 1 1 3 5.200M10 7v6M7 10h6",
};
const rooms = ["runs", "explore", "map", "draw", "between", "train", "play", "lessons", "pictures", "mend", "translate", "darkroom", "measure"];
const main = document.getElementById("main");
let leave = null, turn = 0;

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 20 20"); svg.setAttribute("aria-hidden", "true"); path.setAttribute("d", icons[name]); svg.append(path);
  return svg;
}

function links(current) {
  const nav = document.getElementById("rooms");
  fill(nav, rooms.map(room => h("a", { href: `#${room}`, "aria-current": room === current ? "page" : null }, icon(room), t(`room.${room}`))));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

async function enter() {
  const { room, params } = place(), name = rooms.includes(room) ? room : "runs", mine = ++turn;
  if (room === "main") { main.focus(); return; }
  leave?.(); leave = null;
  links(name);
  document.title = `${t(`room.${name}`)} · simulacra studio`;
  fill(main);
  delete main.dataset.room;
  window.scrollTo(0, 0);
  try {
    const module = await import(`./rooms/${name}.js`);
    if (mine !== turn) return;
    const root = h("div", {}), waiting = h("progress", { class: "waiting", "aria-label": t("waiting") });
    fill(main, root, waiting);
    const left = await module.show(root, params);
    waiting.remove();
    if (mine !== turn) { left?.(); return; }
    leave = left || null;
    main.dataset.room = name;
    guide();
  } catch (error) {
    if (mine === turn) fill(main, h("div", { class: "card empty" }, h("h2", {}, t("error.title")), h("p", { class: "wrap" }, error.message), h("button", { onclick: enter }, t("error.again"))));
  }
}

document.documentElement.lang = language;
document.getElementById("skip").textContent = t("skip");
window.addEventListener("hashchange", enter);
window.addEventListener("unhandledrejection", event => toast(event.reason?.message || String(event.reason)));
get("about").then(about => {
  document.body.classList.toggle("view", about.view);
  fill(document.getElementById("foot"), `${about.version} · ${about.runs}`, about.view ? h("div", {}, t("view.only")) : null);
}).catch(() => {});
enter();
