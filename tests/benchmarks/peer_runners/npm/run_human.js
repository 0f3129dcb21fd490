/**
 * @vladmandic/human: its emotion network on one crop after the other.
 *
 * `human.detect` always looks for a face first, and its emotion module is not exported. So the
 * package loads its network, and what it does with a face box is repeated here, with its default
 * settings: `cutAndResize` of src/face/facemeshutil.ts (to the 192 x 192 of the face mesh, divided
 * by 255), then `predict` of src/gear/emotion.ts (to 64 x 64, grey by weights, -1..1). The crop is
 * the face box. `detect` itself cuts probabilities to two digits and leaves out those below 0.1;
 * with a detector that answers the whole crop it gives the same two digits.
 * By WebAssembly, the backend of tfjs for node that needs no binary beside the package.
 */

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { answer, asColour } = require("./protocol.js");

const OFF = { enabled: false };
const CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
const GREY = [0.2989, 0.587, 0.114];

async function loadHuman() {
  require("@tensorflow/tfjs");
  const backend = path.dirname(require.resolve("@tensorflow/tfjs-backend-wasm"));
  const dist = path.dirname(require.resolve("@vladmandic/human"));
  const { Human } = require(path.join(dist, "human.node-wasm.js"));
  // The package reads its models by `fetch`, which knows no files in node.
  globalThis.fetch = async (url) => new Response(fs.readFileSync(new URL(url)));
  const human = new Human({
    backend: "wasm",
    wasmPath: backend + path.sep,
    modelBasePath: pathToFileURL(path.join(dist, "..", "models")).href,
    body: OFF,
    hand: OFF,
    object: OFF,
    gesture: OFF,
    face: { iris: OFF, description: OFF },
  });
  await human.load();
  return human;
}

async function load(sidePx) {
  const human = await loadHuman();
  const { emotion, facemesh } = human.models.models;
  const { tf } = human;
  const [facePx, inputPx] = [facemesh.inputs[0].shape[2], emotion.inputs[0].shape[2]];

  function network(image) {
    const crop = tf.tensor4d(asColour(image), [1, sidePx, sidePx, 3], "float32");
    const cut = tf.image.cropAndResize(crop, [[0, 0, 1, 1]], [0], [facePx, facePx]);
    const resized = tf.image.resizeBilinear(tf.div(cut, 255), [inputPx, inputPx], false);
    const grey = tf.sum(tf.mul(resized, GREY), 3, true);
    return emotion.execute(tf.mul(tf.sub(grey, 0.5), 2));
  }

  async function predict(images) {
    const probs = [];
    for (const image of images) {
      const scores = tf.tidy(() => network(image));
      probs.push(Array.from(await scores.data()));
      scores.dispose();
    }
    return probs;
  }

  const sizes = Object.values(emotion.weights).flatMap((weights) =>
    weights.filter((one) => one.dtype === "float32").map((one) => one.size),
  );
  return { predict, classes: CLASSES, parameters: sizes.reduce((sum, size) => sum + size, 0) };
}

answer(load);
