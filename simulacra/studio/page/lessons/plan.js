// What each lesson shows: rooms, the run that it needs, what is lit. Its texts are in en.js and zh.js.
const vae = { family: ["vae", "iwae", "cvae", "dfcvae"], able: ["decode", "encode", "sample"], train: { recipe: "quickstart" }, say: "simulacra quickstart" };
const plane = { family: ["vae", "iwae"], latent: 2, able: ["decode"], train: { recipe: "vae-2d", data: "digits", options: { "train.images": "60000" } }, say: "simulacra train vae-2d --data digits --train.images 60000" };
const infogan = { family: ["infogan"], able: ["codes"], train: { recipe: "infogan", data: "digits", options: { "train.images": "60000" } }, say: "simulacra train infogan --data digits --train.images 60000" };
const pair = { family: ["vaegan", "bigan", "ali"], able: ["encode"], train: { recipe: "bigan", data: "digits", options: { "train.images": "60000" } }, say: "simulacra train bigan --data digits --train.images 60000" };
const cyclegan = { family: ["cyclegan"], able: ["translate"], train: { recipe: "cyclegan" }, say: "simulacra train cyclegan" };

export const LESSONS = [
  { id: "latent", steps: [
    { room: "explore", run: vae, lit: [".sliders", ".stage"] }, { room: "explore", run: vae, lit: ["#new-sample"] }, { room: "explore", run: vae, lit: ["#variations"] }, { room: "between", run: vae, lit: [".stage", "#route"] }] },
  { id: "plane", steps: [
    { room: "explore", run: plane, lit: [".pad"] }, { room: "draw", run: plane, lit: ["canvas.draw"] }, { room: "draw", run: plane, lit: ["#result", "#edit"] }, { room: "between", run: plane, params: { route: "fade" }, lit: ["#route"] }] },
  { id: "reconstruct", steps: [
    { room: "draw", run: vae, lit: ["#example", "#result"] }, { room: "explore", run: vae, lit: ["#new-sample", ".stage"] }, { room: "play", params: { family: "autoencoder", data: "digits" }, lit: ["#pictures", "#play"] }, { room: "play", params: { family: "vae", data: "digits" }, lit: ["#pictures", "#play"] }] },
  { id: "game", steps: [
    { room: "play", params: { family: "gan", data: "digits" }, lit: ["#next-round", ".player"] }, { room: "play", params: { family: "gan", data: "digits" }, lit: ["#only"] }, { room: "play", params: { family: "gan", data: "digits", pace: 4 }, lit: ["#play", "#pictures"] }, { room: "play", params: { tab: "plane", shape: "two", objective: "non_saturating" }, lit: ["#plane", "#plane-play"] }] },
  { id: "collapse", steps: [
    { room: "play", params: { tab: "plane", shape: "ring", objective: "saturating" }, lit: ["#plane-play", "#plane"] }, { room: "play", params: { tab: "plane", shape: "ring", objective: "non_saturating" }, lit: [".tiles"] }, { room: "play", params: { tab: "plane", shape: "ring", objective: "relativistic" }, lit: [".tiles"] }, { room: "train", lit: ["#charts", "form"] }] },
  { id: "codes", steps: [
    { room: "explore", run: infogan, lit: ["#codes"] }, { room: "explore", run: infogan, lit: ["#codes", "#new-sample"] }, { room: "play", params: { family: "infogan", data: "digits" }, lit: [".player", "#next-round"] }] },
  { id: "pair", steps: [
    { room: "play", params: { family: "vaegan", data: "digits" }, lit: [".player", "#next-round"] }, { room: "play", params: { family: "bigan", data: "digits" }, lit: [".player", "#next-round"] }, { room: "draw", run: pair, lit: ["#example", "#result"] }] },
  { id: "cycle", steps: [
    { room: "translate", run: cyclegan, lit: ["#examples", "#result"] }, { room: "translate", run: cyclegan, lit: ["#direction", "#result"] }, { room: "play", params: { family: "cyclegan" }, lit: ["#next-round", ".player"] }] },
];

/* The first of the runs that a step can be shown with: one's own before those of the package. */
export function suited(runs, need) {
  return runs.find(run => run.ready && !run.broken && need.family.includes(run.family) && need.able.every(name => run.abilities.includes(name)) && (!need.latent || run.latent === need.latent));
}
