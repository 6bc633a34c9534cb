// Paint a hole, or let it be found; then fill it in by the model or from the pixels around it.
import { fill, h, latest, toast } from "../parts/dom.js";
import { of } from "../parts/api.js";
import { card, copying, figure, head, noRun, pic, pickRun, pictureIn, saveButton, slider } from "../parts/bits.js";
import { t } from "../parts/words.js";

const SIDE = 448, METHODS = ["model", "blended", "nearest", "biharmonic", "telea", "navier-stokes"];

export async function show(root) {
  const { picker, chosen } = await pickRun(["decode"], run => enter(body, run));
  if (!chosen) { root.append(head(t("room.mend"), t("mend.lead")), noRun(t("empty.explore"))); return; }
  const body = h("div", {});
  root.append(head(t("room.mend"), t("mend.lead"), picker), body);
  await enter(body, chosen);
}

async function enter(body, run) {
  const image = pic("", t("mend.picture")), canvas = h("canvas", { width: SIDE, height: SIDE, class: "over", tabIndex: 0, role: "img", "aria-label": t("mend.paint") });
  const pen = canvas.getContext("2d", { willReadFrequently: true }), width = h("input", { type: "range", min: 12, max: 140, value: 60, "aria-label": t("draw.width") });
  const results = h("div", { class: "trio four" }, h("p", {}, t("mend.hint"))), heat = h("div", { class: "trio" }), copy = copying();
  let picture = null, marked = false, drawing = false, map = null;

  const place = event => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE]; };
  const clear = () => { pen.clearRect(0, 0, SIDE, SIDE); marked = false; };
  canvas.addEventListener("pointerdown", event => {
    event.preventDefault(); canvas.setPointerCapture(event.pointerId); drawing = true; marked = true;
    Object.assign(pen, { lineWidth: +width.value, lineCap: "round", lineJoin: "round", strokeStyle: "#ff2d55" });
    pen.beginPath(); pen.moveTo(...place(event)); pen.lineTo(...place(event)); pen.stroke();
  });
  canvas.addEventListener("pointermove", event => { if (drawing) { pen.lineTo(...place(event)); pen.stroke(); } });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { if (drawing) { drawing = false; mend(); } });

  /* What was painted, white on black. */
  const mask = () => {
    const copy = document.createElement("canvas"), out = copy.getContext("2d");
    copy.width = copy.height = SIDE;
    out.fillStyle = "#000"; out.fillRect(0, 0, SIDE, SIDE); out.drawImage(canvas, 0, 0);
    out.globalCompositeOperation = "source-atop"; out.globalCompositeOperation = "lighter"; out.drawImage(canvas, 0, 0);
    const data = out.getImageData(0, 0, SIDE, SIDE);
    for (let i = 0; i < data.data.length; i += 4) data.data[i] = data.data[i + 1] = data.data[i + 2] = data.data[i] > 127 ? 255 : 0;
    out.putImageData(data, 0, 0);
    return copy.toDataURL("image/png");
  };

  const mend = latest(async () => {
    if (!picture || !marked) return;
    const tiles = Object.fromEntries(METHODS.map(method => [method, h("figure", {}, h("div", { class: "stage" }, h("progress", { "aria-label": t("waiting") })), h("figcaption", {}, t(`mend.${method}`)))]));
    fill(results, Object.values(tiles));
    const asked = { picture, mask: mask() };
    await Promise.all(METHODS.map(async method => {
      try {
        const found = await of(run.id, "inpaint", { ...asked, method, steps: 150 });
        fill(tiles[method], pic(found.images[2], t(`mend.${method}`)), h("figcaption", {}, t(`mend.${method}`), " ", h("button", { type: "button", class: "plain mini", onclick: () => { given(found.images[2]); } }, t("mend.take"))));
        if (method === "model") copy.show(found);
      } catch (error) { fill(tiles[method], h("p", { class: "small" }, error.message), h("figcaption", {}, t(`mend.${method}`))); }
    }));
  });

  const given = url => { picture = url; image.src = url; clear(); fill(heat); map = null; };
  const example = async () => { try { given((await of(run.id, "examples", { n: 1, seed: Math.floor(Math.random() * 1e6) })).images[0]); } catch (error) { toast(error.message); } };
  const find = h("button", { type: "button", onclick: async () => {
    if (!picture) return toast(t("draw.first"));
    find.disabled = true;
    try {
      const found = await of(run.id, "anomaly", { picture, steps: 150 });
      fill(heat, figure(found.images[1], t("mend.redrawn")), figure(found.images[2], t("mend.heat", { n: found.score.toFixed(4) })));
      copy.show(found);
      await read(found.images[2]);
      threshold.classList.remove("hidden");
      mark(+threshold.querySelector("input").value);
    } catch (error) { toast(error.message); }
    find.disabled = false;
  } }, t("mend.find"));

  /* The heat map as numbers, and what lies above the threshold as the painted hole. */
  const read = url => new Promise(resolve => {
    const loaded = new Image();
    loaded.onload = () => {
      const small = document.createElement("canvas"), out = small.getContext("2d");
      small.width = loaded.width; small.height = loaded.height; out.drawImage(loaded, 0, 0);
      const data = out.getImageData(0, 0, loaded.width, loaded.height).data;
      map = { side: loaded.width, values: Array.from({ length: loaded.width * loaded.height }, (_, i) => data[4 * i] / 510) };
      resolve();
    };
    loaded.src = url;
  });
  const mark = value => {
    if (!map) return;
    clear();
    const cell = SIDE / map.side;
    pen.fillStyle = "#ff2d55";
    map.values.forEach((heat, i) => { if (heat > value) pen.fillRect((i % map.side - 0.5) * cell, (Math.floor(i / map.side) - 0.5) * cell, 2 * cell, 2 * cell); });
    marked = map.values.some(heat => heat > value);
    mend();
  };
  const threshold = slider({ label: t("mend.threshold"), low: 0.02, high: 0.5, step: 0.01, value: 0.25, long: true, oninput: mark });
  threshold.classList.add("hidden");

  fill(body, h("div", { class: "hands" },
    card(null, h("div", { class: "stage" }, image, canvas), h("div", { class: "row" }, h("div", { class: "grow" }, width), h("button", { type: "button", class: "mini", onclick: clear }, t("draw.clear"))),
      h("div", { class: "row" }, h("button", { type: "button", onclick: example }, t("draw.example")), find), heat, threshold),
    h("div", { class: "stack" }, card(t("mend.filled"), results), copy), pictureIn(given)));
  example();
}
