// The strip of all pictures, if there are several.

import { byId, element } from "./dom.js";

export function drawStrip(pictures, onShow) {
  const strip = byId("strip");
  strip.hidden = pictures.length < 2;
  strip.replaceChildren(
    ...pictures.map((picture, number) =>
      element(
        "li",
        {},
        element(
          "button",
          { type: "button", "aria-label": `Show ${picture.name}`, onclick: () => onShow(number) },
          element("img", { src: picture.url, alt: "" }),
          element("small", { textContent: picture.name }),
        ),
      ),
    ),
  );
}

export function markStrip(current) {
  byId("strip").querySelectorAll("button").forEach((button, number) => {
    button.setAttribute("aria-current", String(number === current));
  });
}
