/**
 * What a runner of an npm package reads and writes, and how it is timed: protocol.py for node.
 *
 *     NODE_PATH=ENVIRONMENT/node_modules node run_human.js IMAGES.npy ANSWER.json
 *
 * IMAGES.npy: uint8 N x S x S. ANSWER.json: `probs` N x C, `classes` (C names as the package calls
 * them), `parameters` (0: not known), `seconds` and `cpu_seconds` of the best pass.
 */

"use strict";

const fs = require("node:fs");

const WARM_UP_IMAGES = 64;
const SHORT_S = 5;
const REPETITIONS = 3;
const NPY_HEADER = /'descr': '\|u1', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\)/;

/** The crops of IMAGES.npy: N arrays of S * S grey levels, and S. */
function readImages(file) {
  const bytes = fs.readFileSync(file);
  const start = 10 + bytes.readUInt16LE(8);
  const found = NPY_HEADER.exec(bytes.toString("latin1", 10, start));
  if (!found) throw new Error(`${file}: expected uint8 images of shape N x S x S`);
  const [count, sidePx, size] = [Number(found[1]), Number(found[2]), found[2] * found[3]];
  const image = (_, n) => bytes.subarray(start + n * size, start + (n + 1) * size);
  return { images: Array.from({ length: count }, image), sidePx };
}

/** Predict all images after a warm-up; the best of three passes if a pass takes under 5 s. */
async function timed(predict, images) {
  await predict(images.slice(0, WARM_UP_IMAGES));
  let best = null;
  for (let pass = 0; pass < REPETITIONS; pass += 1) {
    const [start, startCpu] = [performance.now(), process.cpuUsage()];
    const probs = await predict(images);
    const [seconds, cpu] = [(performance.now() - start) / 1e3, process.cpuUsage(startCpu)];
    if (!best || seconds < best.seconds) {
      best = { probs, seconds, cpu_seconds: (cpu.user + cpu.system) / 1e6 };
    }
    if (seconds >= SHORT_S) break;
  }
  return best;
}

/**
 * Run a package: `load(sidePx)` resolves to `predict` (N crops -> N arrays of C probabilities),
 * `classes` and `parameters`.
 *
 * Whatever prevents it is printed as one line, and the exit code is 1.
 */
async function answer(load) {
  try {
    const [imagesFile, answerFile] = process.argv.slice(2);
    const { images, sidePx } = readImages(imagesFile);
    const { predict, classes, parameters } = await load(sidePx);
    const result = await timed(predict, images);
    fs.writeFileSync(answerFile, JSON.stringify({ classes, parameters, ...result }));
  } catch (error) {
    process.stderr.write(`${String(error).replace(/\s+/g, " ")}\n`);
    process.exitCode = 1; // the caller lists it as not at hand
  }
}

/** A grey crop as RGB values, for packages that expect colour. */
function asColour(image) {
  const rgb = new Uint8Array(3 * image.length);
  for (let n = 0; n < image.length; n += 1) rgb.fill(image[n], 3 * n, 3 * n + 3);
  return rgb;
}

module.exports = { REPETITIONS, SHORT_S, WARM_UP_IMAGES, answer, asColour, readImages, timed };
