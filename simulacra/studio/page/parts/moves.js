// Directions that were kept, as sliders: how far a latent goes along each.
import { h } from "./dom.js";
import { get } from "./api.js";
import { card, slider } from "./bits.js";
import { t } from "./words.js";

/* A card of sliders, or null where none is kept; `moves` holds what they say, without zeros. */
export async function moving(run, onmoved) {
  const names = await get(`runs/${encodeURIComponent(run.id)}/directions`).catch(() => []), moves = {};
  const rows = names.map(name => slider({ label: name, low: -2, high: 2, step: 0.05, value: 0, long: true, oninput: value => { if (value) moves[name] = value; else delete moves[name]; onmoved(); } }));
  const still = () => { rows.forEach(row => row.set(0)); for (const name of names) delete moves[name]; };
  return { moves, still, card: names.length ? card(t("map.keptones"), h("div", { class: "sliders", id: "moves" }, rows), h("button", { type: "button", class: "plain mini", onclick: () => { still(); onmoved(); } }, t("explore.reset"))) : null };
}
