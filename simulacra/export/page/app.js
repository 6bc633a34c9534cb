/* The page itself: the networks are read, the generator or the translators shown, and one picture checked. */

function translatorPage(model, networks, main) {
  main.className = "wide";
  const canvases = [0, 1, 2].map(() => element("canvas")), note = element("p"), file = element("input", { type: "file", accept: "image/*", hidden: true });
  const time = element("span", { className: "time" }), drop = element("div", { className: "drop" }, told(element("p"), "drop"));
  let to = model.translators[0].to, source = null, warm = null;
  const facts = wanted => model.translators.find(t => t.to === wanted);

  function show() {
    if (!source) return;
    const { size, channels } = facts(to), other = to === "A" ? "B" : "A";
    const side = Math.min(source.width, source.height), context = canvases[0].getContext("2d");
    canvases[0].width = canvases[0].height = size;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, size, size);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, (source.width - side) / 2, (source.height - side) / 2, side, side, 0, 0, size, size);
    const given = seen(canvases[0], channels);
    if (!warm) warm = networks[to].run(given.data, given.shape);  // the browser compiles meanwhile: it is not timed
    const start = performance.now(), there = networks[to].run(given.data, given.shape);
    time.textContent = say("ms", { ms: (performance.now() - start).toFixed(0) });
    paint(canvases[0], given);
    paint(canvases[1], there);
    figures[2].hidden = !networks[other];
    if (networks[other]) paint(canvases[2], networks[other].run(there.data, there.shape));
  }
  async function take(blob) {
    try { source = await createImageBitmap(blob); note.textContent = ""; show(); } catch { note.textContent = say("notPicture"); }
  }
  const names = ["given", "result", "back"];
  const figures = canvases.map((canvas, k) => element("figure", {}, told(element("figcaption"), names[k], () => ({ to })), canvas));
  const tabs = model.translators.map(one => {
    const made = told(element("button", { type: "button" }), "to", { to: one.to });
    made.addEventListener("click", () => { to = one.to; press(); example(); for (const write of texts) write(); });
    return made;
  });
  const press = () => tabs.forEach((tab, k) => tab.setAttribute("aria-pressed", model.translators[k].to === to));
  const example = () => { const image = new Image(); image.onload = () => { source = image; show(); }; image.src = facts(to).example; };
  for (const name of ["dragenter", "dragover"]) addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) addEventListener(name, event => { event.preventDefault(); drop.classList.remove("over"); });
  addEventListener("drop", event => event.dataTransfer.files[0] && take(event.dataTransfer.files[0]));
  addEventListener("paste", event => event.clipboardData.files[0] && take(event.clipboardData.files[0]));
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  drop.append(button("choose", () => file.click()), file, told(element("p"), "cropped", () => ({ size: facts(to).size })), note);
  main.append(element("section", {}, element("div", { className: "row" }, ...(tabs.length > 1 ? tabs : []), time), drop,
    element("div", { className: "pair" }, ...figures), element("div", { className: "row", style: "margin-top: 14px" }, button("save", () => savePicture(canvases[1], `${model.name}-${to}.png`), "main"))));
  press();
  example();
}

/* One input whose image the model itself has drawn. */
function check(model, networks) {
  const { part, input, shape, image } = model.check, wanted = Uint8Array.from(atob(image), c => c.charCodeAt(0));
  const found = bytesOf(networks[part].run(Float32Array.from(input), shape));
  return wanted.reduce((worst, v, i) => Math.max(worst, Math.abs(v - found[i])), 0);
}

const model = JSON.parse(document.getElementById("model").textContent);
const floats = decoded(document.getElementById("weights").textContent.trim(), model.half);
const networks = Object.fromEntries(Object.entries(model.networks).map(([name, description]) => [name, new Network(description, floats)]));
told(document.getElementById("lead"), "lead", model);
told(document.getElementById("about"), "about", model);
told(document.getElementById("language"), "other").addEventListener("click", changeLanguage);
document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
if (networks.generator) generatorPage(model, networks.generator, document.getElementById("main"));
else translatorPage(model, networks, document.getElementById("main"));
const worst = check(model, networks), verdict = told(document.getElementById("checked"), worst > 1 ? "failed" : "checked", { worst });
if (worst > 1) verdict.className = "bad";
