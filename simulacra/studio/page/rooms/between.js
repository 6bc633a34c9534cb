// From keyframe to keyframe: a route, a scrubber, a film to save.
import { fill, h, keep, latest, later, place, save, toast } from "../parts/dom.js";
import { blob, of } from "../parts/api.js";
import { card, choose, copying, head, noRun, pic, pickRun, pictureIn, slider } from "../parts/bits.js";
import { forget, kept } from "../parts/kept.js";
import { video, videoKind } from "../parts/video.js";
import { t } from "../parts/words.js";

const ROUTES = ["latent", "fade", "flow", "transport"], MOST = 8;

export async function show(root) {
  let leave = null;
  const { picker, chosen } = await pickRun(["decode"], run => { leave?.(); leave = enter(body, run); });
  if (!chosen) { root.append(head(t("room.between"), t("between.lead")), noRun(t("empty.explore"))); return null; }
  const body = h("div", {});
  root.append(head(t("room.between"), t("between.lead"), picker), body);
  leave = enter(body, chosen);
  return () => leave?.();
}

function enter(body, run) {
  const params = place().params, image = pic("", t("between.frame")), strip = h("div", { class: "strip" }), copy = copying();
  const input = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("between.scrub") });
  let stops = kept(run.id), frames = [], timer = 0, way = 1;
  let route = ROUTES.includes(params.get("route")) ? params.get("route") : "latent", steps = Number(params.get("steps")) || 16;

  const body_ = () => ({ stops: stops.map(stop => stop.latent ? { latent: stop.latent } : { picture: stop.picture }), steps, route });
  const frame = () => { if (frames[+input.value]) image.src = frames[+input.value]; };
  input.addEventListener("input", () => { pause(); frame(); });
  const play = h("button", { type: "button", "aria-label": t("between.play"), onclick: () => timer ? pause() : start() }, "▶");
  const start = () => {
    if (frames.length < 2) return;
    play.textContent = "❚❚";
    timer = setInterval(() => { const at = +input.value + way; if (at < 0 || at >= frames.length) way = -way; input.value = +input.value + way; frame(); }, 90);
  };
  const pause = () => { clearInterval(timer); timer = 0; play.textContent = "▶"; };

  const ask = latest(async () => {
    if (stops.length < 2) { frames = []; return; }
    stage.classList.add("busy");
    try {
      const found = await of(run.id, "interpolate", body_());
      frames = found.images; input.max = frames.length - 1; copy.show(found);
      if (!timer) { input.value = Math.min(+input.value, frames.length - 1); frame(); start(); }
    } finally { stage.classList.remove("busy"); }
  });
  const asked = later(ask, 120);

  const remove = i => { stops.splice(i, 1); draw(); };
  const draw = () => {
    fill(strip, stops.map((stop, i) => h("button", { type: "button", title: t("between.remove"), "aria-label": t("between.removen", { n: i + 1 }), onclick: () => remove(i) }, pic(stop.image, t("between.key", { n: i + 1 })))));
    asked();
  };
  const add = stop => { if (stops.length >= MOST) return toast(t("between.full")); stops.push(stop); draw(); };
  const random = async (n = 1) => {
    try {
      if (run.abilities.includes("sample")) {
        const { latents } = await of(run.id, "latents", { n, seed: Math.floor(Math.random() * 1e6) });
        const { images } = await of(run.id, "decode", { latents });
        latents.forEach((latent, i) => stops.length < MOST && stops.push({ latent, image: images[i] }));
      } else {
        const { images } = await of(run.id, "examples", { n, seed: Math.floor(Math.random() * 1e6) });
        images.forEach(picture => stops.length < MOST && stops.push({ picture, image: picture }));
      }
      draw();
    } catch (error) { toast(error.message); }
  };
  const film = h("button", { type: "button", class: "main", onclick: async () => {
    if (stops.length < 2) return toast(t("between.two"));
    film.disabled = true;
    try { save(await blob(`runs/${encodeURIComponent(run.id)}/film`, { ...body_(), seconds: 0.09 }), `${run.name}-walk.gif`); } catch (error) { toast(error.message); }
    film.disabled = false;
  } }, t("between.save"));

  const kind = videoKind(), recorded = kind ? h("button", { type: "button", id: "video", onclick: async () => {
    if (frames.length < 2) return toast(t("between.two"));
    recorded.disabled = true;
    try { save(await video(frames, 0.09, kind), `${run.name}-walk.${kind[1]}`); } catch (error) { toast(error.message || t("error.file")); }
    recorded.disabled = false;
  } }, t("between.video", { kind: kind[1].toUpperCase() })) : null;

  const hint = h("p", { class: "small" }, t(`routehint.${route}`));
  const stage = h("div", { class: "stage" }, image);
  fill(body, h("div", { class: "split" },
    h("div", { class: "stack" }, stage, h("div", { class: "row" }, play, h("div", { class: "grow" }, input)), h("div", { class: "row" }, film, recorded), copy),
    h("div", { class: "stack" },
      card(t("between.keys"), strip, h("p", { class: "small" }, t("between.hint")), h("div", { class: "row" }, h("button", { type: "button", onclick: () => random() }, t("between.random")),
        h("button", { type: "button", class: "plain", onclick: () => { stops = []; forget(run.id); draw(); random(3); } }, t("between.afresh"))),
      pictureIn(url => add({ picture: url, image: url }), { label: t("between.drop") })),
      card(t("between.route"), h("div", { id: "route" }, choose(ROUTES.map(name => [name, t(`route.${name}`)]), route, value => { route = value; keep({ route }); hint.textContent = t(`routehint.${value}`); asked(); }, t("between.route"))), hint,
        slider({ label: t("between.steps"), low: 4, high: 48, step: 1, value: steps, long: true, show: v => v, oninput: value => { steps = value; keep({ steps }); asked(); } })))));
  if (stops.length < 2) random(3 - stops.length); else draw();
  return pause;
}
