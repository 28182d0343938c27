import assert from "node:assert/strict";
import test from "node:test";
import { ago, besideEpsilon, duration, figure, hasEpsilon, plain, signed, size, words } from "../src/format";

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
  assert.ok(hasEpsilon(arm));
  assert.ok(hasEpsilon({ ...arm, settings: { loss: "maxSuppression" } }));
  assert.ok(!hasEpsilon({ ...arm, settings: { loss: "focal", gamma: 2 } }));
});
