// What surrounds the picture: the model and its card, the choice of a mode, the token, messages.

import { cardElements } from "./card.js";
import { byId, element } from "./dom.js";

const HEALTH_MS = 5000;
const MODES = { auto: "Auto", crop: "Crop", detect: "Detect" };

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export function drawModes(modes, chosen, onChange) {
  byId("modes").hidden = modes.length < 2;
  byId("modes").replaceChildren(
    ...modes.map((mode) => {
      const input = element("input", { type: "radio", name: "mode", value: mode });
      input.checked = mode === chosen;
      input.onchange = () => onChange(mode);
      return element("label", {}, input, element("span", { textContent: MODES[mode] }));
    }),
  );
}

export async function watchHealth(engine, follows) {
  for (;;) {
    try {
      const { ok, model, problem } = await engine.health();
      byId("dot").className = ok ? "dot ok" : "dot bad";
      byId("model-name").textContent = model;
      byId("model").title = problem || (follows ? `follows ${follows}` : "the model");
    } catch (error) {
      byId("dot").className = "dot bad";
      byId("model").title = error.message;
    }
    await pause(HEALTH_MS);
  }
}

export function tokenDialog(isWrong) {
  const dialog = byId("token-dialog");
  byId("token").value = "";
  byId("token-title").textContent = isWrong ? "The token was wrong" : "Token of the server";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "ok" ? byId("token").value : null);
  });
}

export async function showCard(engine) {
  try {
    byId("card-content").replaceChildren(...cardElements(await engine.card()));
  } catch (error) {
    byId("card-content").replaceChildren(element("p", { textContent: error.message }));
  }
}

export function showMessage(text) {
  byId("message").textContent = text;
  byId("message").hidden = false;
}

export function hideMessage() {
  byId("message").hidden = true;
}

let busy = 0;

export function setBusy(change) {
  busy += change;
  byId("busy").hidden = busy === 0;
}
