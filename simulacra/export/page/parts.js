/* Pieces of the page, random numbers, and pictures on canvases. */

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

const button = (name, action, className = "") => {
  const made = element("button", { type: "button", className });
  made.addEventListener("click", action);
  return name ? told(made, name) : made;
};

const section = (title, ...children) => element("section", {}, told(element("h2"), title), ...children);

function slider(caption, { low, high, step = 0.01 }, start, action) {
  const input = element("input", { type: "range", min: low, max: high, step, value: start });
  const output = element("output"), name = typeof caption === "string" ? element("label", { textContent: caption }) : caption;
  const show = () => { output.textContent = (+input.value).toFixed(2); };
  input.addEventListener("input", () => { show(); action(+input.value); });
  input.setAttribute("aria-label", name.textContent);
  show();
  return Object.assign(element("div", { className: "slider" }, name, input, output), { set: v => { input.value = v; show(); } });
}

/* Random numbers by seed: mulberry32, and normal ones by the polar method. */
function randomness(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
  const normal = () => {
    for (;;) {
      const u = 2 * uniform() - 1, v = 2 * uniform() - 1, s = u * u + v * v;
      if (s > 0 && s < 1) return u * Math.sqrt(-2 * Math.log(s) / s);
    }
  };
  return { uniform, normal };
}

/* An image [C, H, W] in [-1, 1] as bytes, C beside each other. */
function bytesOf({ data, shape: [C, H, W] }) {
  const out = new Uint8ClampedArray(C * H * W);
  for (let c = 0; c < C; c++) for (let i = 0; i < H * W; i++) out[i * C + c] = evenly((data[c * H * W + i] + 1) * 127.5);
  return out;
}

/* Rounded to the nearest whole number, halves to the even one. */
function evenly(v) {
  const r = Math.round(v);
  return Math.abs(v % 1) === 0.5 && r % 2 ? r - 1 : r;
}

function paint(canvas, image) {
  const [C, H, W] = image.shape, bytes = bytesOf(image), pixels = new ImageData(W, H);
  for (let i = 0; i < H * W; i++) {
    for (let c = 0; c < 3; c++) pixels.data[i * 4 + c] = bytes[i * C + (C < 3 ? 0 : c)];
    pixels.data[i * 4 + 3] = 255;
  }
  canvas.width = W;
  canvas.height = H;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/* The pixels of a canvas as an image [C, H, W] in [-1, 1]; grey by ITU-R 601. */
function seen(canvas, C) {
  const { width: W, height: H } = canvas, pixels = canvas.getContext("2d").getImageData(0, 0, W, H).data, out = new Float32Array(C * H * W);
  for (let i = 0; i < H * W; i++) {
    const [r, g, b] = pixels.subarray(i * 4, i * 4 + 3);
    if (C >= 3) { out[i] = r / 127.5 - 1; out[H * W + i] = g / 127.5 - 1; out[2 * H * W + i] = b / 127.5 - 1; }
    if (C === 4) out[3 * H * W + i] = 1;
    if (C === 1) out[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b) / 127.5 - 1;
  }
  return { data: out, shape: [C, H, W] };
}

function savePicture(canvas, name) {
  const times = Math.max(1, Math.ceil(256 / canvas.width)), large = element("canvas", { width: canvas.width * times, height: canvas.height * times });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, large.width, large.height);
  element("a", { href: large.toDataURL("image/png"), download: name }).click();
}
