// The engine that asks the server of this page.

const TOKEN = "ferflow-token";
let askForToken = async () => null;

export const privacy =
  "Pictures are sent to the server of this page only. It keeps them in memory until it has answered.";

export class EngineError extends Error {
  constructor(text, problems = [], retryAfter = 0) {
    super([text, ...problems].join("\n"));
    this.retryAfter = retryAfter;
  }
}

export function useTokenDialog(dialog) {
  askForToken = dialog;
}

async function call(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    let answer;
    try {
      answer = await fetch(path, { ...options, headers, cache: "no-store" });
    } catch {
      throw new EngineError("The server does not answer. Is `ferflow serve` still running?");
    }
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => ({ error: answer.statusText }));
    if (answer.status === 401) {
      const given = await askForToken(Boolean(token));
      if (given) {
        sessionStorage.setItem(TOKEN, given);
        continue;
      }
    }
    const remedy = problem.remedy ? `: ${problem.remedy}` : "";
    const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
    throw new EngineError(`${problem.error}${remedy}`, problem.problems, retryAfter);
  }
}

function form(blobs) {
  const body = new FormData();
  for (const { blob, name } of blobs) body.append("pictures", blob, name);
  return body;
}

let described = null;

export async function describe() {
  const model = await call("model");
  described = model;
  return {
    name: model.model,
    follows: model.follows,
    heatMaps: model.heat_maps,
    modes: ["auto", "crop", "detect"],
    mode: model.faces,
    regions: false,
  };
}

export async function health() {
  const found = await call("health");
  const problem = found.champion_problem;
  return { ok: found.status === "ok", model: found.model, problem: problem ? problem.error : "" };
}

export async function predict(blobs, { mode }) {
  const found = await call(`predict?faces=${mode}`, { method: "POST", body: form(blobs) });
  // A server that follows the champion may have changed its model.
  if (described?.model !== found.model) await describe();
  return {
    model: found.model,
    pictures: found.pictures,
    facts: {
      Probabilities: described.calibrated ? "calibrated on validation images" : "not calibrated",
      "Predicted in": `${Math.round(found.timing.predicting_ms)} ms`,
      "Total on the server": `${Math.round(found.timing.total_ms)} ms`,
    },
  };
}

export async function explain(picture, { label, box, landmarks }) {
  const query = new URLSearchParams({ label });
  if (box) query.set("box", box.join(","));
  if (box && landmarks.length) {
    query.set("landmarks", landmarks.flat().map((value) => value.toFixed(2)).join(","));
  }
  return call(`explain?${query}`, { method: "POST", body: form([picture]) });
}

export async function card() {
  return (await call("model/card")).sections;
}
