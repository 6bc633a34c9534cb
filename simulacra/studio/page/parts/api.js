// The server's answers, or an Error with its one sentence.
import { t } from "./words.js";

async function answer(response) {
  if (response.ok) return response;
  let detail = "";
  try { detail = (await response.json()).detail; } catch { /* not JSON */ }
  throw new Error(detail || t("error.status", { status: response.status }));
}

async function asked(path, options) {
  try { return await answer(await fetch(`/api/${path}`, options)); } catch (error) {
    if (error instanceof TypeError) throw new Error(t("error.gone"));
    throw error;
  }
}

const json = body => ({ headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const get = async path => (await asked(path)).json();
export const post = async (path, body = {}) => (await asked(path, { method: "POST", ...json(body) })).json();
export const put = async (path, body) => (await asked(path, { method: "PUT", ...json(body) })).json();
export const blob = async (path, body) => (await asked(path, { method: "POST", ...json(body) })).blob();
export const send = async (path, form) => (await asked(path, { method: "POST", body: form })).json();

export const of = (run, verb, body) => post(`runs/${encodeURIComponent(run)}/${verb}`, body);
export const sheet = (run, kind, step) => `/api/runs/${encodeURIComponent(run)}/sheets/${kind}/${step}`;
