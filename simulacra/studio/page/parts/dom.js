// Small helpers: elements, messages, latest-wins, the address.
import { t } from "./words.js";

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key in element && key !== "list" && key !== "form") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(9).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function toast(text, seconds = 7) {
  const box = h("div", {}, text);
  document.getElementById("toasts").append(box);
  setTimeout(() => box.remove(), seconds * 1000);
}

/* Only one request is in flight; of those asked for meanwhile only the latest is made. */
export function latest(work, fail = error => toast(error.message)) {
  let flying = false, waiting = null;
  return async function ask(...args) {
    if (flying) { waiting = args; return; }
    flying = true;
    try { await work(...args); } catch (error) { if (error.name !== "AbortError") fail(error); } finally { flying = false; }
    if (waiting) { const next = waiting; waiting = null; ask(...next); }
  };
}

export function later(work, wait = 160) {
  let timer = 0;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => work(...args), wait); };
}

/* The address: #room?key=value, which is a permalink of what is shown. */
export function place() {
  const [room, query = ""] = location.hash.slice(1).split("?");
  return { room: room || "runs", params: new URLSearchParams(query) };
}

export function keep(values) {
  const { room, params } = place();
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") params.delete(key); else params.set(key, value);
  }
  const query = params.toString();
  history.replaceState(null, "", `#${room}${query ? "?" + query : ""}`);
}

export const go = (room, values = {}) => { location.hash = `${room}?${new URLSearchParams(values)}`; };

export const count = value => Number(value).toLocaleString(document.documentElement.lang);

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.round(seconds), m = Math.floor(s / 60), hours = Math.floor(m / 60);
  return hours ? t("time.hours", { h: hours, m: m % 60 }) : m ? t("time.minutes", { m, s: s % 60 }) : t("time.seconds", { s });
}

export const short = v => v === null || v === undefined ? "–" : Math.abs(v) >= 1e6 ? (v / 1e6).toPrecision(3) + "M" : Math.abs(v) >= 1e4 ? (v / 1e3).toPrecision(3) + "k" : String(+Number(v).toPrecision(4));

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 4000);
}

export const asFile = async (url, name) => save(await (await fetch(url)).blob(), name);
