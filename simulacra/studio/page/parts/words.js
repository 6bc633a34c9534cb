// The page's texts in the browser's language; one dictionary each.
import en from "../lang/en.js";
import zh from "../lang/zh.js";

const languages = { en, zh };
const wanted = new URLSearchParams(location.search).get("lang") || navigator.language || "en";
export const language = wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
const words = languages[language];

export function t(key, values = {}) {
  const text = words[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
