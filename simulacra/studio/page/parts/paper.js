// A sheet to draw on, with a pen of one colour.
import { h } from "./dom.js";
import { t } from "./words.js";

const SIDE = 448;

export function paper({ ink = "#ffffff", ground = "#000000", onchange }) {
  const canvas = h("canvas", { class: "draw", width: SIDE, height: SIDE, tabIndex: 0, role: "img", "aria-label": t("draw.paper") });
  const pen = canvas.getContext("2d");
  const width = h("input", { type: "range", min: 8, max: 64, value: 34, "aria-label": t("draw.width") });
  const colour = h("input", { type: "color", value: ink, "aria-label": t("draw.colour") });
  const past = [];
  let drawing = false;
  const place = event => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE]; };
  const changed = () => onchange(canvas.toDataURL("image/png"));
  const note = () => { past.push(pen.getImageData(0, 0, SIDE, SIDE)); if (past.length > 20) past.shift(); };
  const clear = (quiet = false) => { if (!quiet) note(); pen.fillStyle = ground; pen.fillRect(0, 0, SIDE, SIDE); if (!quiet) onchange(null); };
  canvas.addEventListener("pointerdown", event => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId); note(); drawing = true;
    Object.assign(pen, { lineWidth: +width.value, lineCap: "round", lineJoin: "round", strokeStyle: colour.value });
    pen.beginPath(); pen.moveTo(...place(event)); pen.lineTo(...place(event)); pen.stroke();
  });
  canvas.addEventListener("pointermove", event => { if (drawing) { pen.lineTo(...place(event)); pen.stroke(); changed(); } });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { if (drawing) { drawing = false; changed(); } });
  const undo = () => { const last = past.pop(); if (last) { pen.putImageData(last, 0, 0); changed(); } };
  clear(true);
  const show = url => new Promise(resolve => {
    const image = new Image();
    image.onload = () => {
      note(); pen.imageSmoothingEnabled = image.width > 64;
      const scale = Math.max(SIDE / image.width, SIDE / image.height), [w, k] = [image.width * scale, image.height * scale];
      pen.fillStyle = ground; pen.fillRect(0, 0, SIDE, SIDE); pen.drawImage(image, (SIDE - w) / 2, (SIDE - k) / 2, w, k); resolve();
    };
    image.src = url;
  });
  const tools = h("div", { class: "row" }, colour, h("div", { class: "grow" }, width),
    h("button", { type: "button", class: "mini", onclick: undo }, t("draw.undo")), h("button", { type: "button", class: "mini", onclick: () => clear() }, t("draw.clear")));
  return { canvas, tools, show, clear };
}
