// Rendering: tiles (filled when they approach the viewport), the inspector, automatic removals.

const REASONS = {
  label_error: "Possible label errors",
  conflicting_label: "Copies with different labels",
  not_a_face: "Possible non-faces",
  blank: "Blank images",
  near_duplicate: "Near duplicates",
  unlabelled: "Faces that the model is least sure of",
  worst_kept: "Kept images with the lowest label quality",
  by_person: "Decided earlier",
  leak: "Leaks: copies of held-out images, removed from training",
  exact_duplicate: "Exact duplicates; one copy of each is kept",
};
const VOTE_COLORS = {
  neutral: "#8a94a0", happiness: "#e69f00", surprise: "#56b4e9", sadness: "#0072b2", anger: "#d55e00",
  disgust: "#009e73", fear: "#cc79a7", contempt: "#b8a800", unknown: "#c9ced4", nf: "#a0522d",
};
const DROP_NAME = DATA.labels ? "Not a face" : "Drop";
const VOTE_NAMES = { nf: "not a face" };

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

function reasonName(group) {
  return REASONS[group] ?? group.replaceAll("_", " ");
}

function percent(fraction) {
  const value = 100 * fraction;
  return `${value > 0 && value < 1 ? "<1" : Math.round(value)}\u202f%`;
}

function picture(position, alt) {
  return el("img", { src: `data:image/png;base64,${DATA.pictures[position]}`, alt, draggable: "false" });
}

function votesOf(item) {
  return (item.votes ?? [])
    .map((count, number) => ({ count, name: DATA.votes[number] }))
    .filter((vote) => vote.count > 0)
    .sort((a, b) => b.count - a.count);
}

function votesText(item) {
  return votesOf(item).map((v) => `${VOTE_NAMES[v.name] ?? v.name} ${v.count}`).join(", ");
}

function splitName(split) {
  return split === "" ? "no split yet" : split;
}

function decisionText(item) {
  const decision = decisionOf(item);
  if (!decision) return "";
  if (decision.action === "relabel") return `→ ${labelName(decision.label)}`;
  return decision.action === "drop" ? DROP_NAME.toLowerCase() : decision.action;
}

function describe(item) {
  const parts = DATA.labels ? [] : [`labelled ${labelName(item.label)}`];
  if (item.hint !== undefined) parts.push(`suggested ${labelName(item.hint)}`);
  if (item.p !== undefined) parts.push(`label fit ${percent(item.p)}`);
  if (item.votes) parts.push(`votes: ${votesText(item)}`);
  if (item.of !== undefined) parts.push(`similar to ${item.of_id}, labelled ${labelName(item.of_label)}`);
  const decision = decisionText(item).replace("→", "relabelled");
  return `${parts.join("; ")}; ${decision || "undecided"}`;
}

function voteBar(item) {
  const bar = el("div", { class: item.votes ? "votes" : "votes none", title: `votes: ${votesText(item)}` });
  for (const vote of votesOf(item)) {
    const part = el("i");
    part.style.flex = String(vote.count);
    part.style.background = VOTE_COLORS[vote.name];
    bar.append(part);
  }
  return bar;
}

function fillTile(tile, item) {
  const labels = el("div", { class: "labels" }, DATA.labels ? null : el("b", {}, labelName(item.label)));
  if (item.hint !== undefined) labels.append(`${DATA.labels ? "" : " → "}${labelName(item.hint)}`);
  const fits = [];
  if (item.p !== undefined) fits.push(`fit ${percent(item.p)}`);
  if (item.q !== undefined && item.hint !== undefined) fits.push(percent(item.q));
  const pictures = el("div", { class: "pictures" }, picture(item.i, ""));
  if (item.of !== undefined) pictures.append(picture(item.of, ""));
  const quick = el("div", { class: "quick" });
  const button = (text, action, label, name) =>
    el("button", { type: "button", tabindex: "-1", "data-do": action, "data-label": label, "aria-label": name }, text);
  if (!DATA.labels) quick.append(button("Keep", "keep", null, `Keep ${item.id}`));
  quick.append(button(DROP_NAME, "drop", null, `${DROP_NAME} ${item.id}`));
  if (item.hint !== undefined && item.hint !== item.label) {
    const name = labelName(item.hint);
    quick.append(button(name, "relabel", item.hint, `Relabel ${item.id} to ${name}`));
  }
  tile.replaceChildren(
    pictures, labels, el("div", { class: "fits" }, fits.join(" → ")), voteBar(item), quick, el("span", { class: "badge" }),
  );
  paintTile(tile, item);
}

function paintTile(tile, item) {
  const decision = decisionOf(item);
  const badge = tile.querySelector(".badge");
  tile.dataset.state = decision ? decision.action : "";
  tile.setAttribute("aria-label", describe(item));
  if (!badge) return; // not filled yet
  badge.className = `badge ${decision ? decision.action : ""}`;
  badge.textContent = decisionText(item) + (decision && !isMadeHere(item) ? " · earlier" : "");
}

function figure(position, caption) {
  return el("figure", {}, picture(position, caption), el("figcaption", {}, caption));
}

function factList(item) {
  const list = el("dl");
  const row = (name, value) => list.append(el("dt", {}, name), el("dd", {}, value));
  row("reason", reasonName(item.group));
  if (!DATA.labels) row("label", labelName(item.label) + (item.p === undefined ? "" : ` (fit ${percent(item.p)})`));
  if (item.hint !== undefined) row("suggested", labelName(item.hint) + (item.q === undefined ? "" : ` (${percent(item.q)})`));
  if (!DATA.labels) row("split", `${splitName(item.split)}, ${item.status}`);
  row("image", item.id);
  if (item.path) row("file", item.path);
  return list;
}

function voteList(item) {
  const bars = el("div", { class: "bars", role: "img", "aria-label": `votes: ${votesText(item)}` });
  for (const vote of votesOf(item)) {
    const bar = el("i");
    bar.style.width = `${10 * Math.min(vote.count, 10)}%`;
    bar.style.background = VOTE_COLORS[vote.name];
    bars.append(el("span", {}, VOTE_NAMES[vote.name] ?? vote.name), bar, el("span", {}, String(vote.count)));
  }
  return bars;
}

function choices(item) {
  const decision = decisionOf(item);
  const choice = (key, text, action, label = null) => {
    const isOn = decision?.action === action && (decision.label ?? null) === label;
    const hint = action === "relabel" && label === item.hint ? " hint" : "";
    return el(
      "button",
      { type: "button", class: action + hint, "data-do": action, "data-label": label, "aria-pressed": String(isOn) },
      key ? el("kbd", {}, key) : null, text,
    );
  };
  const box = el("div", { class: "choose", role: "group", "aria-label": "Decide about this image" });
  if (!DATA.labels) box.append(choice("k", "Keep", "keep"));
  box.append(choice("d", DROP_NAME, "drop"), el("hr"));
  const buttons = CLASSES.map((name, number) => choice(HAS_DIGITS ? String(number + 1) : "", name, "relabel", number));
  if (HAS_DIGITS) box.append(...buttons);
  else box.append(...classList(buttons));
  const back = el("button", { type: "button", "data-do": "back", disabled: !decision }, el("kbd", {}, "x"), "remove");
  box.append(back);
  return box;
}

// A text field that narrows the list of classes.
function classList(buttons) {
  const list = el("div", { class: "choose classes" }, ...buttons);
  const search = el("input", {
    type: "search", id: "class-search", placeholder: "r: class, then Enter", "aria-label": "Find a class to relabel to",
  });
  search.addEventListener("input", () => list.replaceChildren(...matchingClasses(search.value).map((number) => buttons[number])));
  search.addEventListener("keydown", onSearchKey);
  return [search, list];
}

function paintInspector(item) {
  const box = document.getElementById("inspector");
  if (!item) return box.replaceChildren(el("p", { class: "note" }, "No image selected."));
  const isPair = item.of !== undefined;
  const pictures = el("div", { class: isPair ? "pictures two" : "pictures" });
  pictures.append(figure(item.i, isPair ? `this image: ${labelName(item.label)}` : ""));
  if (isPair) pictures.append(figure(item.of, `${item.of_id}: ${labelName(item.of_label)}, ${splitName(item.of_split)}`));
  const decision = decisionOf(item);
  const note = el("input", {
    type: "text", id: "note", maxlength: "500", placeholder: "note (optional)", "aria-label": "Note about this image",
    disabled: !decision, value: decision?.note ?? "",
  });
  note.addEventListener("input", () => onNote(item, note.value));
  return box.replaceChildren(pictures, factList(item), item.votes ? voteList(item) : "", choices(item), note);
}

function paintFacts() {
  const box = document.getElementById("facts");
  for (const fact of DATA.facts) {
    const strip = el("div", { class: "strip" });
    const details = el("details", {}, el("summary", {}, `${reasonName(fact.reason)} (${fact.count})`), strip);
    details.addEventListener("toggle", () => {
      if (strip.childElementCount) return;
      for (const item of fact.items) {
        const pictures = el("div", { class: "pictures" }, picture(item.i, item.id));
        if (item.of !== undefined) pictures.append(picture(item.of, item.of_id));
        const other = item.of === undefined ? "" : ` = ${item.of_id} (${splitName(item.of_split)})`;
        strip.append(el("div", {}, pictures, `${item.id}${other}`));
      }
      const more = fact.count - fact.items.length;
      if (more > 0) strip.append(el("p", {}, `and ${more} more`));
    });
    box.append(details);
  }
}
