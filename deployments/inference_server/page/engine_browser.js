// The engine that runs the model in this browser: no picture leaves it.

import * as ort from "./ort/ort.wasm.min.mjs";

const FACTS = "model/model.json";
const MODEL = "model/model.onnx";
// More pixels than the largest screens have: more would only take memory.
const MOST_PIXELS = 12e6;

ort.env.logLevel = "error";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;

export const privacy = "The model runs in this browser. No picture leaves this machine.";

let facts = null;
let session = null;
let lastRun = Promise.resolve();

export class EngineError extends Error {}

export function useTokenDialog() {}

export async function describe() {
  facts = await (await get(FACTS)).json();
  const bytes = await (await get(MODEL)).arrayBuffer();
  await check(bytes, facts.sha256);
  session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["wasm"], logSeverityLevel: 3,
  });
  return {
    name: facts.model, follows: null, heatMaps: false, modes: ["crop"], mode: "crop", regions: true,
  };
}

export async function health() {
  return { ok: true, model: facts.model, problem: "" };
}

export async function card() {
  return facts.card;
}

export async function predict(pictures, { region = null }) {
  const start = performance.now();
  const predicted = [];
  for (const { blob, name } of pictures) predicted.push(await predictOne(blob, name, region));
  const took = Math.round(performance.now() - start);
  const shown = {
    Probabilities: facts.calibrated ? "calibrated on validation images" : "not calibrated",
    "Predicted in": `${took} ms`,
  };
  return { model: facts.model, pictures: predicted, facts: shown };
}

async function predictOne(blob, name, region) {
  const images = await pixels(blob, name, region);
  // One at a time: a session can't run twice at once.
  const run = lastRun.then(() => session.run({ images }));
  lastRun = run.catch(() => undefined);
  const { probabilities } = await run;
  const shares = [...probabilities.data];
  const best = shares.indexOf(Math.max(...shares));
  const face = {
    label: facts.classes[best],
    confidence: shares[best],
    probabilities: Object.fromEntries(facts.classes.map((label, k) => [label, shares[k]])),
    box: region,
    landmarks: [],
    detection_score: null,
    unfamiliarity: null,
  };
  return { path: name, faces: [face], reason: "" };
}

// RGB values, 1 x H x W x 3, upright and on white, as Python decodes a picture.
async function pixels(blob, name, region) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, {
      imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none",
    });
  } catch {
    throw new EngineError(`${name}: expected a picture that this browser can show; choose another.`);
  }
  const [left, top, right, bottom] = region ?? [0, 0, bitmap.width, bitmap.height];
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / ((right - left) * (bottom - top))));
  const width = Math.max(1, Math.round((right - left) * scale));
  const height = Math.max(1, Math.round((bottom - top) * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, left, top, right - left, bottom - top, 0, 0, width, height);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from];
    rgb[to + 1] = rgba[from + 1];
    rgb[to + 2] = rgba[from + 2];
  }
  return new ort.Tensor("uint8", rgb, [1, height, width, 3]);
}

async function get(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new EngineError(`${path} can't be loaded. Serve the folder with a web server.`);
  }
  if (!answer.ok) throw new EngineError(`${path} is missing (${answer.status}). Export the page again.`);
  return answer;
}

// Browsers give their hash functions to pages over https or on localhost only.
async function check(bytes, expected) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected) throw new EngineError(`${MODEL} is damaged. Export the page again.`);
}
