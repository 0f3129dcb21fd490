"use strict";
// State: decisions in the store and on this page, undo, local storage, the decisions file.

const DATA = JSON.parse(document.getElementById("data").textContent);
const ITEMS = DATA.items;
const CLASSES = DATA.classes;
const HAS_DIGITS = CLASSES.length <= 9;
const MEMORY = `ferflow-review-${DATA.snapshot}`;
const MAX_UNDO = 1000;

const made = new Map(); // key of an image -> {action, label, note}: decided here, overrides earlier
const past = []; // undo history
let remembers = true;

function keyOf(item) {
  return `${item.id}\n${item.sha}`;
}

function earlierOf(item) {
  return item.was ? { action: item.was, label: item.was_label ?? null, note: item.was_note ?? "" } : null;
}

function decisionOf(item) {
  const own = made.get(keyOf(item));
  if (!own) return earlierOf(item);
  return own.action === "reset" ? null : own;
}

function isMadeHere(item) {
  return made.has(keyOf(item));
}

function labelName(label) {
  return label >= 0 ? CLASSES[label] : "no label";
}

// Numbers of the classes with the text in their name: those that start with it first.
function matchingClasses(text) {
  const wanted = text.trim().toLowerCase();
  const all = CLASSES.map((_, number) => number);
  const starts = all.filter((number) => CLASSES[number].startsWith(wanted));
  return [...starts, ...all.filter((number) => !starts.includes(number) && CLASSES[number].includes(wanted))];
}

// Decide, or remove a decision (null). Relabelling to the current label counts as keeping.
function decide(item, action, label = null) {
  const key = keyOf(item);
  const before = made.get(key);
  const note = (before && before.action !== "reset" ? before : earlierOf(item))?.note ?? "";
  past.push({ item, before });
  if (past.length > MAX_UNDO) past.shift();
  if (action === "relabel" && label === item.label) [action, label] = ["keep", null];
  put(item, action === null ? null : { action, label, note });
}

function setNote(item, note) {
  const decision = decisionOf(item);
  if (decision) put(item, { ...decision, note });
}

function isSame(a, b) {
  return a.action === b.action && a.label === b.label && (a.note ?? "") === (b.note ?? "");
}

function put(item, decision) {
  const earlier = earlierOf(item);
  if (decision === null && earlier) made.set(keyOf(item), { action: "reset", label: null, note: "" });
  else if (decision === null || (earlier && isSame(decision, earlier))) made.delete(keyOf(item));
  else made.set(keyOf(item), decision);
  remember();
}

function undo() {
  const last = past.pop();
  if (!last) return null;
  if (last.before) made.set(keyOf(last.item), last.before);
  else made.delete(keyOf(last.item));
  remember();
  return last.item;
}

function remember() {
  try {
    localStorage.setItem(MEMORY, JSON.stringify([...made]));
  } catch {
    remembers = false;
  }
}

function recall() {
  made.clear();
  try {
    for (const [key, decision] of JSON.parse(localStorage.getItem(MEMORY) ?? "[]")) {
      if (isDecision(decision)) made.set(key, decision);
    }
  } catch {
    remembers = false;
  }
  ITEMS.forEach(forgetInForce);
}

// Decisions that were saved and applied meanwhile are no longer new.
function forgetInForce(item) {
  const own = made.get(keyOf(item));
  const earlier = earlierOf(item);
  if (own && (earlier ? isSame(own, earlier) : own.action === "reset")) made.delete(keyOf(item));
}

function isDecision(value) {
  const isRelabel = value?.action === "relabel" && value.label in CLASSES;
  return isRelabel || ["keep", "drop", "reset"].includes(value?.action);
}

function cell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv() {
  const lines = [["image_id", "pixel_sha256", "action", "label", "note"]];
  for (const item of ITEMS) {
    const own = made.get(keyOf(item));
    if (!own) continue;
    const label = own.action === "relabel" ? CLASSES[own.label] : "";
    lines.push([item.id, item.sha, own.action, label, own.note ?? ""]);
  }
  return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
}

function numMadeHere() {
  return ITEMS.filter(isMadeHere).length;
}
