// Interaction: filters, navigation, mouse and keyboard, saving.

const $ = (id) => document.getElementById(id);
const tiles = new Map(); // item -> its tile
let shown = []; // items in the order of the page
let selected = null;

const filler = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting || entry.target.childElementCount) continue;
      fillTile(entry.target, entry.target.item);
    }
  },
  { rootMargin: "800px 0px" },
);

function matchesFilters(item) {
  const [group, label, state] = ["filter-group", "filter-class", "filter-state"].map((id) => $(id).value);
  if (group !== "all" && item.group !== group) return false;
  if (label !== "all" && item.label !== Number(label)) return false;
  return state === "all" || (state === "done") === (decisionOf(item) !== null);
}

function paintSheet() {
  filler.disconnect();
  tiles.clear();
  shown = ITEMS.filter(matchesFilters);
  const sections = [];
  let grid = null;
  let last = "";
  for (const item of shown) {
    const place = `${item.group}/${item.label}`;
    if (place !== last) {
      grid = newSection(item, sections);
      last = place;
    }
    if (item.of !== undefined) grid.parentElement.classList.add("pairs");
    const tile = el("div", { class: "tile", role: "group", tabindex: "-1" });
    tile.item = item;
    tiles.set(item, tile);
    paintTile(tile, item);
    grid.append(tile);
    filler.observe(tile);
  }
  const nothing = ITEMS.length ? "No image matches these filters." : "There is nothing to decide.";
  $("sheet").replaceChildren(...(sections.length ? sections : [el("p", { class: "empty" }, nothing)]));
  select(shown.includes(selected) ? selected : (shown[0] ?? null), false);
  paintCounter();
}

function newSection(item, sections) {
  const count = shown.filter((other) => other.group === item.group && other.label === item.label).length;
  const label = DATA.labels ? "" : `labelled ${labelName(item.label)}, `;
  const title = el("h2", {}, `${reasonName(item.group)} `, el("small", {}, `${label}${count}`));
  const grid = el("div", { class: "grid" });
  sections.push(el("section", {}, title, grid));
  return grid;
}

function select(item, focus = true) {
  const before = tiles.get(selected);
  if (before) {
    before.removeAttribute("aria-current");
    before.tabIndex = -1;
  }
  selected = item;
  const tile = tiles.get(item);
  if (tile) {
    if (!tile.childElementCount) fillTile(tile, item);
    tile.setAttribute("aria-current", "true");
    tile.tabIndex = 0;
    if (focus) {
      tile.focus({ preventScroll: true });
      tile.scrollIntoView({ block: "nearest" });
    }
  }
  paintInspector(item);
}

function paintCounter() {
  const done = ITEMS.filter((item) => decisionOf(item) !== null).length;
  const fresh = numMadeHere();
  $("counter").textContent = `${done} of ${ITEMS.length} decided, ${fresh} new`;
  $("progress").max = Math.max(ITEMS.length, 1);
  $("progress").value = done;
  $("save").disabled = $("copy-csv").disabled = fresh === 0;
  $("undo").disabled = past.length === 0;
  $("warning").hidden = remembers;
  if (!remembers) $("warning").textContent = "This browser can't store decisions for this page: save them before you close or reload it.";
}

function changed(item, text) {
  if (tiles.has(item)) paintTile(tiles.get(item), item);
  if (item === selected) paintInspector(item);
  paintCounter();
  $("status").textContent = `${text}. ${$("counter").textContent}`;
}

function act(item, action, label) {
  if (!item) return;
  decide(item, action === "back" ? null : action, label);
  changed(item, `${item.id}: ${decisionText(item) || "undecided"}`);
}

// The inspector stays as it is: the note has the focus.
function onNote(item, note) {
  setNote(item, note);
  if (tiles.has(item)) paintTile(tiles.get(item), item);
  paintCounter();
}

function undoLast() {
  const item = undo();
  if (!item) return;
  changed(item, `undo: ${item.id}`);
  if (tiles.has(item)) select(item);
}

function step(by) {
  const next = shown[shown.indexOf(selected) + by];
  if (next) select(next);
}

// The tile of the next (or previous) row that is nearest to the current column.
function stepRow(direction) {
  const here = tiles.get(selected)?.getBoundingClientRect();
  if (!here) return;
  let best = null;
  let distance = Infinity;
  let rowTop = null;
  for (let n = shown.indexOf(selected) + direction; n >= 0 && n < shown.length; n += direction) {
    const box = tiles.get(shown[n]).getBoundingClientRect();
    if (Math.abs(box.top - here.top) < 2) continue;
    rowTop ??= box.top;
    if (Math.abs(box.top - rowTop) > 2) break;
    const off = Math.abs(box.left - here.left);
    if (off < distance) [best, distance] = [shown[n], off];
  }
  if (best) select(best);
}

function nextUndecided() {
  const start = shown.indexOf(selected) + 1;
  const order = [...shown.slice(start), ...shown.slice(0, start)];
  const next = order.find((item) => decisionOf(item) === null);
  if (next) select(next);
  else $("status").textContent = "All images shown are decided.";
}

const actThenStep = (action, label) => () => {
  act(selected, action, label);
  step(1);
};
const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  ArrowUp: () => stepRow(-1),
  ArrowDown: () => stepRow(1),
  Home: () => shown.length && select(shown[0]),
  End: () => shown.length && select(shown.at(-1)),
  ...(DATA.labels ? { s: () => step(1) } : { k: actThenStep("keep") }),
  d: actThenStep("drop"),
  a: () => selected?.hint !== undefined && actThenStep("relabel", selected.hint)(),
  x: () => act(selected, "back"),
  n: nextUndecided,
  u: undoLast,
  "?": () => $("help").showModal(),
};
if (HAS_DIGITS) {
  CLASSES.forEach((_, number) => {
    KEYS[String(number + 1)] = actThenStep("relabel", number);
  });
} else {
  KEYS.r = () => document.getElementById("class-search")?.focus();
}

// The class list of a page with more classes than digits: Enter takes the first match.
function onSearchKey(event) {
  if (event.key === "Escape") return select(selected);
  if (event.key !== "Enter") return;
  const first = matchingClasses(event.target.value)[0];
  if (first !== undefined) actThenStep("relabel", first)();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.target.closest("input, select, summary")) return;
  const work = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!work) return;
  event.preventDefault();
  work();
}

function onClick(event) {
  const button = event.target.closest("button[data-do]");
  const tile = event.target.closest(".tile");
  if (tile) select(tile.item);
  if (!button) return;
  const item = tile?.item ?? selected;
  const [action, label] = [button.dataset.do, button.dataset.label];
  act(item, action, label === undefined ? null : Number(label));
  // The inspector was rendered again: restore the focus to the pressed button.
  const again = label === undefined ? `[data-do="${action}"]` : `[data-do="${action}"][data-label="${label}"]`;
  if (!tile) $("inspector").querySelector(again)?.focus();
}

function save() {
  const link = el("a", { download: DATA.file });
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  $("status").textContent = `${numMadeHere()} decisions saved as ${DATA.file}`;
}

async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy failed";
  }
  setTimeout(() => (button.textContent = label), 1500);
}

function fillFilters() {
  const option = (value, text) => el("option", { value }, text);
  const count = (test) => ITEMS.filter(test).length;
  const groups = [...new Set(ITEMS.map((item) => item.group))];
  $("filter-group").append(option("all", `all (${ITEMS.length})`));
  for (const group of groups) $("filter-group").append(option(group, `${reasonName(group)} (${count((item) => item.group === group)})`));
  $("filter-class").append(option("all", "all"));
  const labels = [...new Set(ITEMS.map((item) => item.label))].sort((a, b) => a - b);
  for (const label of labels) $("filter-class").append(option(label, `${labelName(label)} (${count((item) => item.label === label)})`));
}

function start() {
  recall();
  remember();
  fillFilters();
  paintFacts();
  paintSheet();
  for (const id of ["filter-group", "filter-class", "filter-state"]) $(id).addEventListener("change", paintSheet);
  document.addEventListener("keydown", onKey);
  $("sheet").addEventListener("click", onClick);
  $("inspector").addEventListener("click", onClick);
  $("undo").addEventListener("click", undoLast);
  $("save").addEventListener("click", save);
  $("copy-csv").addEventListener("click", () => copy(csv(), $("copy-csv")));
  $("copy-command").addEventListener("click", () => copy($("command").textContent, $("copy-command")));
  $("help-open").addEventListener("click", () => $("help").showModal());
  addEventListener("storage", (event) => {
    if (event.key !== MEMORY) return;
    recall();
    paintSheet();
  });
  addEventListener("beforeunload", (event) => {
    if (!remembers && made.size) event.preventDefault();
  });
}

start();
