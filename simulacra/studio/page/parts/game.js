// A family played by hand: whose turn it is, each player's terms as bars, pictures before and after.
import { count, fill, h, keep, place, short, toast } from "./dom.js";
import { get, post } from "./api.js";
import { card, choose, copying, pic, select, slider } from "./bits.js";
import { curves } from "./curves.js";
import { t } from "./words.js";

const KEPT = 400, PACES = [[1, 1600], [1, 700], [1, 200], [4, 60], [20, 0], [60, 0]];

/* Build the table of a game in a box; returns how to leave it. */
export async function game(box) {
  const families = await get("play"), params = place().params;
  let family = families.find(one => one.name === params.get("family")) || families.find(one => one.name === "gan"), data = params.get("data") || "digits", seed = Number(params.get("seed")) || 0;
  let state = null, rows = [], still = new Set(), playing = false, left = false, pace = Number(params.get("pace")) || 1, tops = {};
  const players = h("div", { class: "stack" }), pictures = h("div", { class: "stack", id: "pictures" }), charts = h("div", {}), copy = copying(), told = h("p", { class: "small num", role: "status" });

  const begin = async () => {
    stop();
    keep({ family: family.name, data, seed: seed || null });
    fill(pictures, h("progress", { "aria-label": t("waiting") }));
    try { state = await post("play/games", { family: family.name, data, seed }); } catch (error) { fill(pictures); toast(error.message); return; }
    rows = []; still = new Set(); tops = {};
    fill(only, state.players.length > 1 ? state.players.map(name => h("button", { type: "button", onclick: () => { stop(); turn(name); } }, t("play.only", { player: name }))) : null);
    fill(charts);
    draw(null);
  };

  /* Play rounds; with a name, until that player has had its turn, while the others hold still. */
  const turn = async (alone = null, n = 1) => {
    if (!state) return false;
    const quiet = alone ? state.players.filter(name => name !== alone) : [...still];
    try {
      let found = await post(`play/games/${state.id}/rounds`, { n, still: quiet });
      const before = found.before;
      for (let more = 0; alone && more < 4 && !found.rounds.some(round => round.moved.includes(alone)); more++) found = await post(`play/games/${state.id}/rounds`, { n: 1, still: quiet });
      if (left) return false;
      state = found;
      rows = [...rows, ...found.rounds.map((round, i) => ({ images: (rows.at(-1)?.images || 0) + i + 1, ...round.terms }))].slice(-KEPT);
      draw({ ...found, before });
      return true;
    } catch (error) { toast(error.message); return false; }
  };

  const loop = async () => {
    while (playing && !left) {
      const [n, rest] = PACES[pace], started = performance.now();
      if (!await turn(null, n)) { stop(); return; }
      await new Promise(resolve => setTimeout(resolve, Math.max(0, rest - (performance.now() - started))));
    }
  };
  const stop = () => { playing = false; play.textContent = `▶ ${t("play.play")}`; play.setAttribute("aria-pressed", "false"); };
  const play = h("button", { type: "button", id: "play", "aria-pressed": "false", onclick: () => { if (playing) stop(); else { playing = true; play.textContent = `❚❚ ${t("play.pause")}`; play.setAttribute("aria-pressed", "true"); loop(); } } }, `▶ ${t("play.play")}`);
  const next = h("button", { type: "button", class: "main", id: "next-round", onclick: () => { stop(); turn(); } }, t("play.next"));
  const only = h("div", { class: "group", id: "only" });

  const draw = found => {
    const last = found?.rounds.at(-1);
    told.textContent = last ? t("play.told", { step: count(last.step + 1), turn: last.turn.join(", "), moved: last.moved.join(", ") || t("play.nobody") }) : t("play.ready");
    fill(players, state.players.map((name, i) => player(name, i, found)));
    fill(pictures, state.sheets.map((sheet, i) => h("div", {}, h("h2", {}, named(sheet.name)), h("div", { class: "trio two" },
      found ? h("figure", {}, pic(found.before[i].image, t("play.before")), h("figcaption", {}, t("play.before"))) : null, h("figure", {}, pic(sheet.image, t("play.now")), h("figcaption", {}, found ? t("play.after") : t("play.now")))))));
    if (rows.length > 2) fill(charts, curves(rows, 8));
    copy.show(state);
  };

  /* A player: who it is, whether it holds still, and a bar for each of its terms as they were in its last turn. */
  const player = (name, i, found) => {
    const turned = found?.rounds.findLast(round => round.turn.includes(name)), last = found?.rounds.at(-1), terms = Object.entries(turned?.terms || latest(name)).filter(([term]) => term.startsWith(`${name}/`));
    const hold = h("input", { type: "checkbox", checked: still.has(name), onchange: () => { if (hold.checked) still.add(name); else still.delete(name); } });
    return h("section", { class: `player c${i}`, "data-turn": String(Boolean(last?.turn.includes(name))) },
      h("div", { class: "row ends" }, h("h2", {}, name), h("span", { class: "soft small num" }, t("play.weights", { n: short(state.weights[name]) }))),
      terms.length ? terms.map(([term, value]) => bar(term, value)) : h("p", { class: "small" }, t("play.waits")),
      state.players.length > 1 ? h("label", { class: "small soft row" }, hold, t("play.still")) : null);
  };
  const latest = name => rows.findLast(row => Object.keys(row).some(key => key.startsWith(`${name}/`))) || {};
  const bar = (term, value) => {
    tops[term] = Math.max(tops[term] || 1e-9, Math.abs(value));
    return h("div", { class: "term" }, h("span", {}, term.split("/")[1]), h("meter", { min: 0, max: tops[term], value: Math.abs(value), "aria-label": term }), h("output", {}, short(value)));
  };
  const named = name => name.startsWith("to ") ? t("translate.to", { d: name.slice(3) }) : t(`play.${name}`);

  const sets = h("span", {});
  const draws = () => fill(sets, family.data.length > 1 ? choose(family.data.map(name => [name, name]), data, value => { data = value; begin(); }, t("train.data")) : h("span", { class: "badge" }, family.data[0]));
  const which = select(families.map(one => [one.name, one.name]), family.name, name => { family = families.find(one => one.name === name); if (!family.data.includes(data)) data = family.data[0]; draws(); begin(); }, t("play.family"));
  const start = h("input", { type: "number", min: 0, step: 1, value: seed, "aria-label": t("explore.seed") });
  start.addEventListener("change", () => { seed = Math.max(0, Math.floor(+start.value)); begin(); });
  draws();
  fill(box, h("div", { class: "hands wide" },
    h("div", { class: "stack" },
      card(t("play.family"), h("div", { class: "row" }, which, sets), h("label", { class: "field" }, t("explore.seed"), start), h("button", { type: "button", class: "plain mini", onclick: begin }, t("play.afresh"))),
      card(t("play.turns"), told, h("div", { class: "row" }, next, play), only,
        slider({ label: t("play.pace"), low: 0, high: PACES.length - 1, step: 1, value: pace, long: true, show: v => t(`play.pace${v}`), oninput: value => { pace = value; keep({ pace }); } }))),
    h("div", { class: "stack" }, card(null, pictures), card(t("play.history"), charts), copy),
    card(t("play.players"), players)));
  await begin();
  return () => { left = true; stop(); };
}
