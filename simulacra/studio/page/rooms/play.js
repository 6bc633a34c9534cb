// The game by hand: a family on small pictures, a round at a time; or six objectives on points of the plane.
import { fill, h, keep } from "../parts/dom.js";
import { choose, head } from "../parts/bits.js";
import { game } from "../parts/game.js";
import { plane } from "../parts/plane.js";
import { t } from "../parts/words.js";

export async function show(root, params) {
  const body = h("div", {}), tabs = { game, plane };
  let leave = null;
  const enter = async name => { leave?.(); leave = null; keep({ tab: name === "game" ? null : name }); leave = await tabs[name](fill(body)); };
  const first = params.get("tab") === "plane" ? "plane" : "game";
  const choice = choose([["game", t("play.game")], ["plane", t("play.plane")]], first, enter, t("play.what"));
  root.append(head(t("room.play"), t("play.lead"), choice), body);
  await enter(first);
  return () => leave?.();
}

