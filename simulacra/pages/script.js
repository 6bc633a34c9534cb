"use strict";
const short = v => Math.abs(v) >= 1e6 ? (v / 1e6).toPrecision(3) + "M" : Math.abs(v) >= 1e4 ? (v / 1e3).toPrecision(3) + "k" : String(+v.toPrecision(4));

for (const film of document.querySelectorAll(".film")) {
  const frames = JSON.parse(film.querySelector("script").textContent);
  const [picture, slider, button, output] = ["img", "input", "button", "output"].map(s => film.querySelector(s));
  const show = () => {
    const frame = frames[slider.value];
    picture.src = frame.url;
    output.textContent = frame.images.toLocaleString("en") + " images";
  };
  slider.max = frames.length - 1;
  slider.value = frames.length - 1;
  slider.addEventListener("input", show);
  let timer = null;
  const pause = () => { clearInterval(timer); timer = null; button.innerHTML = "&#9654;"; };
  button.addEventListener("click", () => {
    if (timer) return pause();
    if (+slider.value === frames.length - 1) slider.value = 0;
    button.innerHTML = "&#10074;&#10074;";
    timer = setInterval(() => { slider.value = +slider.value + 1; show(); if (+slider.value === frames.length - 1) pause(); }, 350);
    show();
  });
  show();
}

/* A chart for each logged value; a series is one run's points [images, seconds, value]. */
const W = 300, H = 150, L = 54, B = 18, T = 8, R = 6;
const clocks = { images: 0, seconds: 1 };

function chart({ name, series }, clock) {
  const along = point => point[clocks[clock]];
  const x1 = Math.max(1e-9, ...series.flatMap(s => s.points.map(along)));
  const sorted = series.map(s => s.points.map(p => p[2]).sort((a, b) => a - b));
  let y0 = Math.min(...sorted.map(ys => ys[0])), y1 = Math.max(...sorted.map(ys => ys[Math.max(0, Math.ceil(ys.length * 0.98) - 1)]));
  if (y1 - y0 < 1e-9) { y0 -= 0.5; y1 += 0.5; }
  const X = v => (L + (W - L - R) * v / x1).toFixed(1);
  const Y = v => Math.max(T, T + (H - T - B) * (1 - (v - y0) / (y1 - y0))).toFixed(1);
  const line = ({ points, color }) => `<path style="--color: var(--c${color})" d="${points.map((p, i) => (i ? "L" : "M") + X(along(p)) + " " + Y(p[2])).join("")}"/>`
    + (points.length === 1 ? `<circle cx="${X(along(points[0]))}" cy="${Y(points[0][2])}" r="3" fill="var(--c${color})"/>` : "");
  const figure = document.createElement("figure");
  figure.innerHTML = `<figcaption><b></b><span></span></figcaption>
    <svg viewBox="0 0 ${W} ${H}"><line x1="${L}" x2="${W - R}" y1="${H - B}" y2="${H - B}"/><line x1="${L}" x2="${L}" y1="${T}" y2="${H - B}"/>
    <text x="${L - 4}" y="${T + 8}" text-anchor="end">${short(y1)}</text><text x="${L - 4}" y="${H - B}" text-anchor="end">${short(y0)}</text>
    <text x="${W - R}" y="${H - 5}" text-anchor="end">${short(x1)} ${clock}</text>${series.map(line).join("")}</svg>`;
  const value = figure.querySelector("span"), svg = figure.querySelector("svg");
  const say = (points, after) => {
    value.replaceChildren(...points.flatMap((p, i) => {
      const part = document.createElement("span");
      part.textContent = short(p[2]);
      if (series.length > 1) part.style.color = `var(--c${series[i].color})`;
      return i ? [" / ", part] : [part];
    }), after);
  };
  const last = () => say(series.map(s => s.points[s.points.length - 1]), "");
  figure.querySelector("b").textContent = name;
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width * W - L) / (W - L - R) * x1;
    const nearest = series.map(s => s.points.reduce((a, b) => Math.abs(along(b) - at) < Math.abs(along(a) - at) ? b : a));
    say(nearest, " at " + short(Math.max(0, Math.min(x1, at))));
  });
  svg.addEventListener("pointerleave", last);
  last();
  return figure;
}

for (const section of document.querySelectorAll(".curves")) {
  const curves = JSON.parse(section.querySelector("script").textContent);
  const charts = section.querySelector(".charts"), buttons = [...section.querySelectorAll("button")];
  const show = clock => {
    charts.replaceChildren(...curves.map(curve => chart(curve, clock)));
    for (const button of buttons) button.setAttribute("aria-pressed", button.value === clock);
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.value));
  show("images");
}
