// The page: what the user does, in terms of the engine that predicts.

import { Camera } from "./camera.js";
import {
  drawModes, hideMessage, pause, setBusy, showCard, showMessage, tokenDialog, watchHealth,
} from "./chrome.js";
import { byId, element, faceIcon } from "./dom.js";
import * as engine from "./engine.js";
import { Results } from "./results.js";
import { Stage } from "./stage.js";
import { drawStrip, markStrip } from "./strip.js";

const BATCH = 8;
const THUMBNAIL = 184;

const pictures = [];
let current = -1;
let selected = 0;
let mode = "auto";
let model = null;
let heatRequest = 0;

const stage = new Stage({ onSelect: select, onRegion: () => predict(pictures[current]) });
const results = new Results({ onSelect: select });
const camera = new Camera(byId("video"));

// Pictures

async function add(files) {
  const images = [...files].filter((file) => file.size > 0);
  if (!images.length) return;
  stopCamera();
  hideMessage();
  const first = pictures.length;
  for (const file of images) {
    const name = file.name || "pasted picture";
    const url = URL.createObjectURL(file);
    // `asked`: the mode of the last request for it; a change of the mode makes it null.
    pictures.push({ blob: file, name, url, found: null, problem: "", asked: null });
  }
  drawStrip(pictures, show);
  const shown = show(first);
  for (let start = first; start < pictures.length; start += BATCH) {
    const batch = pictures.slice(start, start + BATCH);
    await predictAll(batch.filter((picture) => picture.asked !== mode));
  }
  await shown;
}

async function predictAll(batch) {
  if (batch.length < 2) return predict(batch[0]);
  setBusy(1);
  const asked = mode;
  for (const picture of batch) picture.asked = asked;
  try {
    const answer = await engine.predict(batch, { mode: asked });
    if (asked !== mode) return; // `changeMode` and `show` ask again
    batch.forEach((picture, number) => settle(picture, answer.pictures[number], answer));
  } catch {
    if (asked !== mode) return;
    for (const picture of batch) await predict(picture); // one of them must not hide the others
  } finally {
    setBusy(-1);
  }
}

async function predict(picture) {
  if (!picture) return;
  setBusy(1);
  const asked = (picture.asked = mode);
  try {
    const region = picture === pictures[current] ? stage.region : null;
    const answer = await engine.predict([picture], { mode: asked, region });
    if (asked === mode) settle(picture, answer.pictures[0], answer);
  } catch (error) {
    if (asked !== mode) return;
    picture.found = null;
    picture.problem = error.message;
    if (picture === pictures[current]) showProblem(picture.problem);
  } finally {
    setBusy(-1);
  }
}

function settle(picture, found, answer) {
  picture.found = found;
  picture.problem = "";
  picture.facts = { Picture: picture.name, ...answer.facts, Model: answer.model };
  if (picture === pictures[current]) draw();
}

async function show(number) {
  current = number;
  selected = 0;
  results.showWaiting();
  hideMessage();
  markStrip(current);
  byId("clear").hidden = false;
  const picture = pictures[number];
  const isShown = await stage.showPicture(picture.url, picture.name);
  if (picture !== pictures[current]) return;
  picture.size = isShown ? stage.size : null;
  if (picture.found) draw();
  else if (picture.problem) showProblem(picture.problem);
  else if (picture.asked !== mode) predict(picture);
}

function draw() {
  const picture = pictures[current];
  hideMessage();
  stage.showFaces(picture.found.faces, selected);
  const face = picture.found.faces[selected];
  const thumbnail = face && picture.size ? crop(byId("picture"), face.box, picture.size) : null;
  results.show(picture.found, selected, { facts: picture.facts, thumbnail, isLive: false });
  drawHeat();
}

function select(number) {
  selected = number;
  if (!camera.isOn && pictures[current]?.found) draw();
}

function crop(source, box, [width, height]) {
  const [left, top, right, bottom] = box ?? [0, 0, width, height];
  const canvas = element("canvas", { width: THUMBNAIL, height: THUMBNAIL });
  const side = Math.max(right - left, bottom - top);
  const x = (left + right - side) / 2;
  const y = (top + bottom - side) / 2;
  try {
    canvas.getContext("2d").drawImage(source, x, y, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  } catch {
    return null;
  }
  return canvas.toDataURL("image/jpeg", 0.9);
}

async function drawHeat() {
  const request = ++heatRequest;
  stage.hideHeat();
  const picture = pictures[current];
  const face = picture?.found?.faces[selected];
  if (!byId("heat").checked || !face || camera.isOn) return;
  try {
    const heat = await engine.explain(picture, face);
    if (request === heatRequest) stage.showHeat(heat);
  } catch (error) {
    if (request === heatRequest) showMessage(error.message);
  }
}

function clear() {
  stopCamera();
  for (const picture of pictures.splice(0)) URL.revokeObjectURL(picture.url);
  current = -1;
  stage.clear();
  results.showWaiting();
  hideMessage();
  drawStrip(pictures, show);
  byId("clear").hidden = true;
  byId("choose").focus();
}

function changeMode(chosen) {
  mode = chosen;
  selected = 0;
  for (const picture of pictures) Object.assign(picture, { found: null, problem: "", asked: null });
  predict(pictures[current]);
}

// Camera

async function toggleCamera() {
  if (camera.isStarting) return; // the browser asks for permission
  if (camera.isOn) return clear();
  clear();
  try {
    if (!(await camera.start())) return;
  } catch (error) {
    showMessage(error.message);
    return;
  }
  byId("camera").setAttribute("aria-pressed", "true");
  byId("camera").textContent = "Stop camera";
  byId("clear").hidden = false;
  selected = 0;
  stage.showVideo();
  follow();
}

async function follow() {
  const { stream } = camera;
  const isCurrent = () => camera.stream === stream; // not stopped, nor started again
  while (isCurrent()) {
    const blob = await camera.frame();
    if (!blob) {
      await pause(100);
      continue;
    }
    try {
      const answer = await engine.predict([{ blob, name: "camera.jpg" }], { mode });
      if (!isCurrent()) return;
      hideMessage();
      drawFrame(answer);
    } catch (error) {
      if (!isCurrent()) return;
      showMessage(error.message);
      await pause(1000 * Math.max(1, error.retryAfter ?? 0));
    }
  }
}

function drawFrame({ pictures: [found], facts, model: name }) {
  const { width, height } = camera.canvas;
  selected = Math.min(selected, Math.max(0, found.faces.length - 1));
  stage.showFaces(found.faces, selected, [width, height]);
  const face = found.faces[selected];
  const thumbnail = face ? crop(camera.canvas, face.box, [width, height]) : null;
  results.show(found, selected, { facts: { ...facts, Model: name }, thumbnail, isLive: true });
}

function stopCamera() {
  if (!camera.isOn && !camera.isStarting) return;
  camera.stop();
  stage.clear();
  byId("camera").setAttribute("aria-pressed", "false");
  byId("camera").textContent = "Use camera";
}

function showProblem(text) {
  stage.showFaces([], 0);
  results.showWaiting("There is no result for this picture.");
  showMessage(text);
}

// Events

function listen() {
  const files = byId("files");
  byId("choose").onclick = () => files.click();
  files.onchange = () => {
    add(files.files);
    files.value = "";
  };
  byId("camera").onclick = toggleCamera;
  byId("clear").onclick = clear;
  byId("heat").onchange = drawHeat;
  byId("card").addEventListener("toggle", () => byId("card").open && showCard(engine));
  stage.root.onclick = () => current < 0 && !camera.isOn && files.click();
  stage.root.addEventListener("keydown", (event) => {
    const opens = event.key === "Enter" || event.key === " ";
    if (event.target === stage.root && opens && current < 0 && !camera.isOn) {
      event.preventDefault();
      files.click();
    }
  });
  document.addEventListener("keydown", (event) => {
    const isUsed = current >= 0 || camera.isOn || camera.isStarting;
    if (event.key === "Escape" && !byId("token-dialog").open && isUsed) clear();
  });
  document.addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      stage.root.classList.toggle("over", name === "dragover");
      if (name === "drop") add(event.dataTransfer?.files ?? []);
    });
  }
}

async function start() {
  for (const name of ["surprise", "happy", "neutral", "sad", "angry"]) {
    byId("example-faces").append(faceIcon(name));
  }
  byId("privacy").textContent = engine.privacy;
  engine.useTokenDialog(tokenDialog);
  listen();
  try {
    model = await engine.describe();
  } catch (error) {
    byId("dot").className = "dot bad";
    byId("model-name").textContent = "no model";
    showMessage(error.message);
    return;
  }
  stage.drawsRegions = model.regions;
  byId("heat-label").hidden = !model.heatMaps;
  if (mode !== model.mode) changeMode(model.mode);
  drawModes(model.modes, mode, changeMode);
  watchHealth(engine, model.follows);
}

start();
