// Latents that were kept in Explore, for Between: for this tab only.
const name = run => `kept:${run}`;

export function kept(run) {
  try { return JSON.parse(sessionStorage.getItem(name(run)) || "[]"); } catch { return []; }
}

export function remember(run, stop) {
  try { sessionStorage.setItem(name(run), JSON.stringify([...kept(run), stop].slice(-8))); } catch { /* full, or not allowed */ }
}

export function forget(run) {
  try { sessionStorage.removeItem(name(run)); } catch { /* not allowed */ }
}
