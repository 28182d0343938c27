import assert from "node:assert/strict";
import test from "node:test";
import { downsample } from "../src/charts/downsample";

const wave = Array.from({ length: 10_000 }, (_, i) => Math.sin(i / 37) + ((i * 7919) % 101) / 500);

test("few figures are all kept", () => {
  assert.deepEqual(downsample([[1, 2, 3]], 0, 3, 2), [0, 1, 2]);
  assert.deepEqual(downsample([[]], 0, 0, 5), []);
});

test("of each bucket the first, the last, the smallest and the largest are kept", () => {
  const kept = downsample([wave], 0, wave.length, 100);
  assert.ok(kept.length <= 400);
  assert.deepEqual(
    kept,
    [...new Set(kept)].sort((a, b) => a - b),
  );
  for (let bucket = 0; bucket < 100; bucket++) {
    const all = wave.slice(bucket * 100, (bucket + 1) * 100);
    const shown = kept.filter(i => i >= bucket * 100 && i < (bucket + 1) * 100);
    assert.equal(shown[0], bucket * 100);
    assert.equal(shown.at(-1), bucket * 100 + 99);
    assert.equal(Math.min(...shown.map(i => wave[i]!)), Math.min(...all));
    assert.equal(Math.max(...shown.map(i => wave[i]!)), Math.max(...all));
  }
});

test("the extremes of every curve are kept", () => {
  const first = wave.map((figure, i) => (i === 4_321 ? 99 : figure));
  const second = wave.map((figure, i) => (i === 8_765 ? -99 : figure));
  const kept = downsample([first, second], 0, 10_000, 50);
  assert.ok(kept.includes(4_321) && kept.includes(8_765));
});

test("a single figure that is not finite stays visible as a gap", () => {
  const broken = wave.map((figure, i) => (i === 5_555 ? null : figure));
  assert.ok(downsample([broken], 0, 10_000, 50).includes(5_555));
});

test("only the indices asked for are kept, and always the same", () => {
  const kept = downsample([wave], 2_000, 3_000, 20);
  assert.equal(kept[0], 2_000);
  assert.equal(kept.at(-1), 2_999);
  assert.deepEqual(kept, downsample([wave], 2_000, 3_000, 20));
});
