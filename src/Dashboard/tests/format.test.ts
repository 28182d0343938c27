import assert from "node:assert/strict";
import test from "node:test";
import { ago, besideEpsilon, duration, figure, labelOf, plain, signed, size, summary, words } from "../src/format";

test("figures", () => {
  assert.equal(figure(0.85162), "0.8516");
  assert.equal(figure(-0.5), "−0.5000");
  assert.equal(figure(0), "0.0000");
  assert.equal(figure(0.00001234), "1.23e−5");
  assert.equal(figure(-0.00001234), "−1.23e−5");
  assert.equal(figure(null), "not finite");
  assert.equal(figure(undefined), "–");
  assert.equal(signed(0.1), "+0.1000");
});

test("settings", () => {
  assert.equal(plain(0.05), "0.05");
  assert.equal(plain([]), "none");
  assert.equal(plain(null), "none");
  assert.equal(plain([0, 0.1]), "0, 0.1");
});

test("times", () => {
  assert.equal(duration(0.2), "0 s");
  assert.equal(duration(59.7), "1 min");
  assert.equal(duration(2 * 3600 + 60), "2 h 1 min");
  assert.equal(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:03:00Z")), "3 min ago");
});

test("sizes", () => {
  assert.equal(size(0), "0 bytes");
  assert.equal(size(1023), "1023 bytes");
  assert.equal(size(3 * 1024 * 1024 + 200_000), "3.2 MiB");
  assert.equal(size(5e12), "4657 GiB");
});

test("names of the API in words", () => {
  assert.equal(words("eceAfterTemperature"), "ECE after temperature");
  assert.equal(words("handedBack"), "handed back");
});

test("arms are named by what differs", () => {
  const arm = { epsilon: 0.1, smoothing: "uniform", learningRate: 0.001, model: "cnn", labelNoise: 0, settings: { batchSize: 64 } };
  assert.equal(besideEpsilon(arm, [arm, { ...arm, epsilon: 0 }]), "");
  assert.equal(besideEpsilon(arm, [arm, { ...arm, model: "mlp", learningRate: 0.1 }]), "cnn, learning rate 0.001");
  assert.equal(besideEpsilon(arm, [arm, { ...arm, settings: { batchSize: 128 } }]), "batch size 64");
  const focal = { ...arm, epsilon: 0, settings: { loss: "focal" } };
  const most = { ...arm, settings: { loss: "maxSuppression" } };
  const job = { dataset: "digits", epsilon: 0, loss: "crossEntropy", epochs: 1, model: "cnn", corruptions: false, name: null, tags: [] };
  assert.equal(labelOf(arm, [arm], job), "ε\u00a00.1");
  assert.equal(labelOf(focal, [focal, most], job), "loss focal");
  assert.equal(labelOf(most, [focal, most], job), "ε\u00a00.1, loss maxSuppression");
});

test("a loss without ε shows none", () => {
  const job = { dataset: "digits", epsilon: 0, loss: "focal", epochs: 1, model: "cnn", corruptions: false, name: null, tags: [] };
  const arm = { epsilon: 0, smoothing: "uniform", learningRate: 0.001, model: "cnn", labelNoise: 0, settings: { gamma: 2 } };
  assert.equal(labelOf(arm, [arm], job), "loss focal");
  assert.equal(labelOf(arm, [arm, { ...arm, settings: { gamma: 3 } }], job), "gamma 2");
  assert.equal(summary(job), "digits · cnn · focal");
  assert.equal(summary({ ...job, loss: "crossEntropy" }), "digits · cnn · ε\u00a00");
  assert.equal(summary({ ...job, loss: "maxSuppression" }), "digits · cnn · maxSuppression · ε\u00a00");
});
