/**
 * @vladmandic/face-api: `nets.faceExpressionNet.predictExpressions` of one crop after the other, as
 * `detectAllFaces(image).withFaceExpressions()` calls it for every face box.
 *
 * Grey crops become three equal channels; the package resizes to 112 x 112 and subtracts its mean.
 * By WebAssembly, the backend of tfjs for node that needs no binary beside the package.
 */

"use strict";

const path = require("node:path");
const { answer, asColour } = require("./protocol.js");

async function load(sidePx) {
  const tf = require("@tensorflow/tfjs");
  require("@tensorflow/tfjs-backend-wasm");
  const dist = path.dirname(require.resolve("@vladmandic/face-api"));
  const faceapi = require(path.join(dist, "face-api.node-wasm.js"));

  await tf.setBackend("wasm");
  await tf.ready();
  const net = faceapi.nets.faceExpressionNet;
  await net.loadFromDisk(path.join(dist, "..", "model"));
  const weights = [...net.getParamList(), ...net.faceFeatureExtractor.getParamList()];
  const classes = Object.keys(new faceapi.FaceExpressions(new Float32Array(7)));

  async function predict(images) {
    const probs = [];
    for (const image of images) {
      const face = tf.tensor3d(asColour(image), [sidePx, sidePx, 3], "int32");
      const expressions = await net.predictExpressions(face);
      face.dispose();
      probs.push(classes.map((name) => expressions[name]));
    }
    return probs;
  }

  return { predict, classes, parameters: weights.reduce((sum, one) => sum + one.tensor.size, 0) };
}

answer(load);
