// The expression of the selected face: label, bars, warnings, facts.

import { byId, element, faceIcon, percent } from "./dom.js";

const UNFAMILIAR = 0.99;
const UNSURE = 0.5;

export class Results {
  constructor({ onSelect }) {
    this.root = byId("result");
    this.announcer = byId("announcer");
    this.onSelect = onSelect;
    this.bars = new Map();
    this.showWaiting();
  }

  showWaiting(text = "The expression of a face appears here.") {
    this.bars.clear();
    const waiting = element("div", { className: "waiting" }, faceIcon("neutral"));
    waiting.append(element("p", { textContent: text }));
    this.root.replaceChildren(waiting);
  }

  show({ faces, reason }, selected, { facts, thumbnail, isLive }) {
    const face = faces[selected];
    if (!face) {
      this.showWaiting(reason);
      this.announce(reason, isLive);
      return;
    }
    const ranked = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
    // Moving bars show best what a camera changes: their elements are kept.
    if (!isLive || !this.sameClasses(ranked)) this.build(ranked.map(([name]) => name));
    this.fill(face, faces, selected, facts, thumbnail);
    const place = faces.length > 1 ? `Face ${selected + 1} of ${faces.length}: ` : "";
    this.announce(`${place}${face.label}, ${percent(face.confidence)}`, isLive);
  }

  sameClasses(ranked) {
    return ranked.length === this.bars.size && ranked.every(([name]) => this.bars.has(name));
  }

  build(names) {
    this.bars.clear();
    this.picker = element("div", { className: "picker", role: "group", "aria-label": "Faces" });
    this.crop = element("img", { className: "crop", alt: "" });
    this.label = element("div", { className: "label" });
    this.sure = element("p", { className: "sure" });
    this.notes = element("div");
    this.facts = element("dl", { className: "facts" });
    const list = element("ol", { className: "bars", "aria-label": "Probabilities" });
    for (const name of names) {
      const fill = element("div", { className: "fill" });
      const value = element("span", { className: "value" });
      const row = element(
        "li",
        {},
        faceIcon(name),
        element("span", { className: "name", textContent: name }),
        element("div", { className: "bar", "aria-hidden": "true" }, fill),
        value,
      );
      this.bars.set(name, { row, fill, value });
      list.append(row);
    }
    const headline = element("div", { className: "headline" }, this.crop);
    headline.append(element("div", {}, this.label, this.sure));
    this.root.replaceChildren(this.picker, headline, list, this.notes, this.facts);
  }

  fill(face, faces, selected, facts, thumbnail) {
    this.picker.hidden = faces.length < 2;
    this.picker.replaceChildren(
      ...faces.map((one, number) =>
        element("button", {
          type: "button",
          textContent: `${number + 1} ${one.label}`,
          "aria-pressed": String(number === selected),
          onclick: () => this.onSelect(number),
        }),
      ),
    );
    this.crop.hidden = !thumbnail;
    if (thumbnail) this.crop.src = thumbnail;
    this.label.textContent = face.label;
    this.sure.textContent = `${percent(face.confidence)} probability`;
    for (const [name, { row, fill, value }] of this.bars) {
      const share = face.probabilities[name] ?? 0;
      row.classList.toggle("top", name === face.label);
      value.textContent = percent(share);
      // The next frame, so that a new bar grows.
      requestAnimationFrame(() => (fill.style.width = `${100 * share}%`));
    }
    this.notes.replaceChildren(...notes(face));
    const shown = { ...facts };
    if (face.detection_score !== null) shown["Face detected"] = percent(face.detection_score);
    if (face.unfamiliarity !== null) shown.Unfamiliarity = percent(face.unfamiliarity);
    this.facts.replaceChildren(
      ...Object.entries(shown).flatMap(([name, value]) => [
        element("dt", { textContent: name }),
        element("dd", { textContent: value }),
      ]),
    );
  }

  announce(text, isLive) {
    if (!isLive) this.announcer.textContent = text;
  }
}

function notes(face) {
  const found = [];
  if (face.unfamiliarity !== null && face.unfamiliarity >= UNFAMILIAR) {
    found.push(
      note(
        "Unlike the training faces",
        `${percent(face.unfamiliarity)} of the faces that the model knows look more familiar. Don't trust this answer.`,
      ),
    );
  }
  if (face.confidence < UNSURE) {
    found.push(note("The model is unsure", "No expression is more likely than all others together."));
  }
  return found;
}

function note(title, text) {
  return element("p", { className: "note" }, element("b", { textContent: title }), text);
}
