import assert from "node:assert/strict";
import test from "node:test";
import { merge } from "../src/api/epochs";
import type { Epoch } from "../src/api/types";

const epoch = (number: number, ece = 0) => ({ epoch: number, ece }) as Epoch;
const numbers = (epochs: Epoch[]) => epochs.map(one => one.epoch);

test("new epochs are added at the end", () => {
  assert.deepEqual(numbers(merge([epoch(1)], [epoch(2), epoch(3)])), [1, 2, 3]);
  assert.deepEqual(numbers(merge([], [])), []);
});

test("an epoch that comes again replaces the one before", () => {
  const merged = merge([epoch(1), epoch(2)], [epoch(2, 0.5), epoch(3)]);
  assert.deepEqual(numbers(merged), [1, 2, 3]);
  assert.equal(merged[1]!.ece, 0.5);
});

test("epochs that came late are put in order", () => assert.deepEqual(numbers(merge([epoch(2)], [epoch(1)])), [1, 2]));
