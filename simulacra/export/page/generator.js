/* A generator: latents drawn, moved by hand, and shown. */

class Latents {
  constructor({ noise, codes, prior }) { Object.assign(this, { noise, codes, prior }); this.size = noise + codes.reduce((n, c) => n + c.width, 0); }

  /* A latent by seed; `limit` is the largest noise that is kept, others are drawn again. */
  draw(seed, limit = Infinity) {
    const { uniform, normal } = randomness(seed), z = new Float32Array(this.size);
    const bounded = () => { let v = normal(); while (Math.abs(v) > limit) v = normal(); return v; };
    const noise = Float32Array.from({ length: this.noise }, bounded);
    z.set(this.prior ? this.placed(noise, uniform()) : noise);
    let at = this.noise;
    for (const code of this.codes) {
      if (code.names) z[at + Math.floor(uniform() * code.width)] = 1; else z[at] = 2 * uniform() - 1;
      at += code.width;
    }
    return z;
  }

  /* Noise as a draw of a mixture: mean + factor noise, of the component that `u` falls to; one factor serves all. */
  placed(noise, u) {
    const { weights, means, factors } = this.prior;
    let k = 0;
    for (let sum = weights[0]; sum < u && k < weights.length - 1; sum += weights[++k]);
    const factor = factors[Math.min(k, factors.length - 1)];
    return means[k].map((mean, i) => mean + factor[i].reduce((s, f, j) => s + f * noise[j], 0));
  }

  /* The latent at `t` between two: on a great arc where noise is normal, codes on a straight line. */
  between(a, b, t) {
    const z = a.map((v, i) => v + t * (b[i] - v));
    if (this.noise < 3 || this.prior) return z;
    let dot = 0, aa = 0, bb = 0;
    for (let i = 0; i < this.noise; i++) { dot += a[i] * b[i]; aa += a[i] ** 2; bb += b[i] ** 2; }
    const angle = Math.acos(Math.min(1, Math.max(-1, dot / Math.sqrt(aa * bb))));
    if (Math.sin(angle) < 1e-4) return z;
    for (let i = 0; i < this.noise; i++) z[i] = (Math.sin((1 - t) * angle) * a[i] + Math.sin(t * angle) * b[i]) / Math.sin(angle);
    return z;
  }
}

function generatorPage(model, network, main) {
  const latents = new Latents(model.latents), canvas = element("canvas"), time = element("span", { className: "time" });
  const seed = element("input", { type: "number", min: 0, step: 1, value: 1 }), moved = [];
  let z = latents.draw(1), limit = Infinity, speed = 0;
  const decode = latent => network.run(latent, [latents.size]);

  function show(from) {
    const start = performance.now();
    paint(canvas, decode(z));
    const took = performance.now() - start;
    speed = speed ? 0.7 * speed + 0.3 * took : took;
    time.textContent = say("ms", { ms: speed < 10 ? speed.toFixed(1) : speed.toFixed(0) });
    for (const follow of moved) if (follow !== from) follow(z);
  }
  let waiting = null, asked = null;
  const soon = from => { asked = from; waiting ??= requestAnimationFrame(() => { waiting = null; show(asked); }); };

  const sampled = number => { seed.value = number; z = latents.draw(number, limit); show(); };
  seed.addEventListener("change", () => sampled(Math.max(0, Math.floor(+seed.value) || 0)));
  const stage = element("section", {}, canvas,
    element("div", { className: "row" }, button("again", () => sampled(+seed.value + 1), "main"), button("save", () => savePicture(canvas, `${model.name}-${seed.value}.png`))),
    element("div", { className: "row" }, told(element("label", { htmlFor: "seed" }), "seed"), Object.assign(seed, { id: "seed" }), time));
  const right = element("div", { className: "column" });
  main.append(element("div", { className: "stage" }, stage), right);

  if (model.latents.codes.length) right.append(codesSection(model.latents, () => z, soon, moved));
  if (model.manifold) right.append(manifoldSection(model, () => z, soon, moved));
  right.append(stripSection(latents, decode, () => limit, +seed.value, sampled));
  right.append(walkSection(latents, decode, made => { z = made; soon(); }));
  if (model.sliders.length) right.append(sliderSection(model, () => z, soon, moved, value => { limit = value; sampled(+seed.value); }));
  decode(z);  // the browser compiles while it draws the first pictures: they are not timed
  show();
}

function codesSection({ noise, codes }, z, soon, moved) {
  const box = element("div", { className: "codes" });
  let at = noise;
  for (const code of codes) {
    const start = at;
    at += code.width;
    if (code.names) {
      const buttons = code.names.map((name, k) => {
        const made = button("", () => { z().fill(0, start, start + code.width); z()[start + k] = 1; soon(); });
        made.textContent = name;
        return made;
      });
      moved.push(latent => buttons.forEach((b, k) => b.setAttribute("aria-pressed", latent[start + k] > 0.5)));
      box.append(element("div", {}, element("label", { textContent: code.name }), element("div", { className: "row" }, ...buttons)));
    } else {
      const follow = latent => row.set(latent[start]);
      const row = slider(code.name, { low: -2, high: 2 }, 0, v => { z()[start] = v; soon(follow); });
      moved.push(follow);
      box.append(row);
    }
  }
  return section(codes.length === 1 && codes[0].name === "label" ? "label" : "codes", box);
}

/* Quantiles of N(0, 1), by bisection of its distribution function. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
  return x < 0 ? -y : y;
}
const probability = z => 0.5 * (1 + erf(z / Math.SQRT2));
function quantile(p) {
  let low = -6, high = 6;
  for (let i = 0; i < 40; i++) { const middle = (low + high) / 2; if (probability(middle) < p) low = middle; else high = middle; }
  return (low + high) / 2;
}

/* The picture of the manifold, 0.05 to 0.95 between the middles of its outer images, with a point to drag. */
function manifoldSection(model, z, soon, moved) {
  const side = model.manifold.side, mark = element("i"), pad = element("div", { className: "pad", tabIndex: 0 }, element("img", { src: model.manifold.url, alt: "", draggable: false }), mark);
  const toPlace = p => ((p - 0.05) / 0.9 * (side - 1) + 0.5) / side, toShare = v => 0.05 + 0.9 * (v * side - 0.5) / (side - 1);
  const clip = p => Math.min(0.995, Math.max(0.005, p));
  const follow = latent => {
    mark.style.left = `${100 * Math.min(1, Math.max(0, toPlace(probability(latent[0]))))}%`;
    mark.style.top = `${100 * Math.min(1, Math.max(0, 1 - toPlace(probability(latent[1]))))}%`;
  };
  const at = event => {
    const box = pad.getBoundingClientRect();
    z()[0] = quantile(clip(toShare((event.clientX - box.left) / box.width)));
    z()[1] = quantile(clip(toShare(1 - (event.clientY - box.top) / box.height)));
    soon();
  };
  pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); at(event); });
  pad.addEventListener("pointermove", event => { if (event.buttons) at(event); });
  pad.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (step) { event.preventDefault(); z()[0] += step[0]; z()[1] += step[1]; soon(); }
  });
  moved.push(follow);
  return section("manifold", pad);
}

/* Samples drawn one after the other, so that the page stays responsive; a click takes one. */
function stripSection(latents, decode, limit, first, take) {
  const box = element("div", { className: "strip" });
  const fill = (start, count = 16) => {
    box.replaceChildren();
    const one = k => {
      if (k === count) return;
      const canvas = element("canvas"), made = button("", () => take(start + k));
      made.append(canvas);
      made.setAttribute("aria-label", start + k);
      paint(canvas, decode(latents.draw(start + k, limit())));
      box.append(made);
      setTimeout(one, 0, k + 1);
    };
    one(0);
  };
  let start = first;
  fill(start);
  return section("samples", box, element("div", { className: "row", style: "margin-top: 10px" }, button("more", () => fill(start += 16))));
}

function walkSection(latents, decode, show) {
  const ends = [latents.draw(1001), latents.draw(1002)], canvases = ends.map(() => element("canvas"));
  let number = 1002;
  const input = element("input", { type: "range", min: 0, max: 1, step: 0.005, value: 0 });
  told({ set textContent(text) { input.setAttribute("aria-label", text); } }, "middle");
  const scrub = () => show(latents.between(ends[0], ends[1], +input.value));
  const buttons = canvases.map((canvas, k) => {
    const made = button("", () => { ends[k] = latents.draw(++number); paint(canvas, decode(ends[k])); scrub(); });
    paint(canvas, decode(ends[k]));
    made.append(canvas);
    made.setAttribute("aria-label", "AB"[k]);
    return made;
  });
  input.addEventListener("input", scrub);
  return section("interpolation", element("div", { className: "ends" }, buttons[0], input, buttons[1]));
}

function sliderSection(model, z, soon, moved, variety) {
  const box = element("div", { className: "sliders" });
  for (const { index, centre, spread } of model.sliders) {
    const follow = latent => row.set(latent[index]);
    const row = slider(`z${index}`, { low: centre - 2.33 * spread, high: centre + 2.33 * spread, step: spread / 100 }, centre, v => { z()[index] = v; soon(follow); });
    moved.push(follow);
    box.append(row);
  }
  const parts = [box];
  if (!model.latents.prior) {
    const widest = 3;
    parts.unshift(slider(told(element("label"), "variety"), { low: 0.3, high: widest, step: 0.1 }, widest, v => variety(v < widest ? v : Infinity)));
  }
  return section(model.latents.codes.length ? "noise" : "latents", ...parts);
}
