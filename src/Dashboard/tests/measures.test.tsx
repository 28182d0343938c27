import "./page";
import assert from "node:assert/strict";
import test from "node:test";
import type { ComponentChildren, VNode } from "preact";
import type { Calibration, Measured, Measures, Selective } from "../src/api/types";
import { CorpDiagram, outside } from "../src/charts/corp";
import { MeasuresOf } from "../src/measures";

/** The elements of components without hooks, in order. */
function elementsOf(node: ComponentChildren): VNode<any>[] {
  if (Array.isArray(node)) return node.flatMap(elementsOf);
  if (node === null || typeof node !== "object") return [];
  const { type, props } = node as VNode<any>;
  if (typeof type === "function") return elementsOf((type as (props: unknown) => ComponentChildren)(props));
  return [node as VNode<any>, ...elementsOf(props.children)];
}

/** The text of components without hooks. */
function textOf(node: ComponentChildren): string {
  if (Array.isArray(node)) return node.map(textOf).join("");
  if (typeof node === "string" || typeof node === "number") return String(node);
  if (node === null || typeof node !== "object") return "";
  const { type, props } = node as VNode<any>;
  return textOf(typeof type === "function" ? (type as (props: unknown) => ComponentChildren)(props) : props.children);
}

/** The texts of the cells of a row that begins with a name. */
function row(node: ComponentChildren, name: string): string[] {
  const rows = elementsOf(node)
    .filter(({ type }) => type === "tr")
    .map(({ props }) => elementsOf(props.children).filter(({ type }) => type === "td" || type === "th").map(textOf));
  return rows.find(([first]) => first?.startsWith(name)) ?? [];
}

const interval = { low: 0.1, high: 0.3 };
const selective: Selective = { aurc: 0.01, augrc: 0.02, risks: [{ coverage: 0.8, risk: 0.2, riskInterval: interval }] };
const curve = [
  { from: 0.2, to: 0.4, count: 10, probability: 0.1 },
  { from: 0.5, to: 0.5, count: 1, probability: 0.5 },
  { from: 0.6, to: 1, count: 20, probability: 0.9 },
];
const band = [
  { confidence: 0.2, low: 0.15, high: 0.3 },
  { confidence: 0.5, low: 0.4, high: 0.6 },
  { confidence: 1, low: 0.95, high: 1 },
];
const measured: Measured = {
  l2: { value: 0.12, interval: { low: 0, high: 0.2 }, bins: 15 },
  corp: { score: 0.1, miscalibration: 0.03, chance: { limit: 0.01 }, discrimination: 0.05, uncertainty: 0.12, curve, band },
  kernel: { value: 0.004, pValue: 0.25, images: 31 },
};
const set = { meanSize: 1.5, coverage: 0.9, coverageInterval: interval };
const sets = { split: set, aps: { ...set, meanSize: 2 }, raps: set };
const full: Measures = {
  refinement: { nll: 0.5, value: 0.4, calibration: 0.1, calibrationInterval: interval },
  maxProbability: selective,
  maxLogitNorm: { power: 5, powerIsFitted: false, selective: { ...selective, aurc: 0.03 } },
  before: measured,
  after: measured,
  conformal: {
    target: 0.9,
    part: "validation",
    calibrationImages: 1000,
    judgedImages: 31,
    temperature: 1.25,
    before: sets,
    after: { ...sets, aps: { ...set, meanSize: 3 } },
  },
  calibrators: {
    chosen: "temperature",
    part: "validation",
    images: 1000,
    folds: 5,
    scores: [
      { name: "temperature", nll: 0.4, nllError: 0.02, difference: 0, differenceError: 0, note: null },
      { name: "structuredMatrix", nll: null, nllError: null, difference: null, differenceError: null, note: "Left out." },
    ],
  },
  missing: {},
};
const shown = (measures: Measures, job?: string) => {
  const assessment = { reliability: [] };
  const report = { temperatureFit: { temperature: 1.25, note: null }, before: assessment, after: assessment, measures };
  return MeasuresOf({ report: report as unknown as Calibration, measures, job });
};

test("the curve is outside the band where it passes an edge", () => {
  assert.equal(outside(curve, band), 2);
  assert.equal(outside(curve, [{ confidence: 0.3, low: 0.1, high: 0.1 }]), 0);
});

test("the curve is drawn by its steps and told in words", () => {
  const drawn = elementsOf(CorpDiagram({ title: "As trained", corp: measured.corp, bins: [], children: null }));
  const svg = drawn.find(({ type }) => type === "svg")!.props as unknown as { "aria-label": string };
  assert.match(svg["aria-label"], /^Reliability curve without bins, As trained\. confidence 0\.20 to 0\.40: 0\.1000 right, 10 images\. /);
  const points = drawn.find(({ type }) => type === "polyline")!.props as unknown as { points: string };
  assert.equal(points.points, "78.0,206.0 122.0,206.0 144.0,118.0 144.0,118.0 166.0,30.0 254.0,30.0");
  const edge = drawn.find(({ type }) => type === "polygon")!.props as unknown as { points: string };
  assert.equal(edge.points, "78.0,195.0 144.0,140.0 254.0,19.0 254.0,8.0 144.0,96.0 78.0,162.0");
});

test("each measure has its figures", () => {
  const tree = shown(full, "/jobs/1");
  assert.match(textOf(tree), /NLL 0\.5000 = refinement 0\.4000 \+ calibration 0\.1000 \(95 % interval 0\.1000 to 0\.3000\)/);
  assert.match(textOf(tree), /outside the band at 2 of 3 confidences/);
  assert.deepEqual(row(tree, "ℓ2 error").slice(0, 3), ["ℓ2 error", "0.1200", "0.0000 to 0.2000"]);
  assert.deepEqual(row(tree, "squared kernel").slice(1, 3), ["0.004000", "p = 0.2500"]);
  assert.deepEqual(row(tree, "largest probability").slice(1), ["0.0100", "0.0200", "0.2000 (0.1000 to 0.3000)"]);
  assert.deepEqual(row(tree, "largest logit").slice(0, 2), ["largest logit over 5-norm, not fitted", "0.0300"]);
  assert.deepEqual(row(tree, "APS"), ["APS", "2.000", "3.000", "0.9000 (0.1000 to 0.3000)", "0.9000 (0.1000 to 0.3000)"]);
  assert.deepEqual(row(tree, "temperature"), ["temperature chosen", "0.4000 ± 0.0200", "0.0000 ± 0.0000", "ONNX"]);
  assert.deepEqual(row(tree, "structured matrix"), ["structured matrix", "Left out.", ""]);
});

test("a job's model is offered with each calibrator, and an evaluation has none", () => {
  const links = elementsOf(shown(full, "/jobs/1")).filter(({ type }) => type === "a");
  assert.deepEqual(links.map(({ props }) => props.href), ["/jobs/1/model?format=onnx&calibrator=temperature"]);
  assert.match(textOf(shown(full, "/jobs/1")), /POST \/jobs\/1\/predict\?calibrator=temperature/);
  assert.equal(elementsOf(shown(full)).some(({ type }) => type === "a"), false);
  assert.doesNotMatch(textOf(shown(full)), /ONNX|POST/);
});

test("what is missing says why", () => {
  const none = { ...measured, l2: null, kernel: null, corp: { ...measured.corp, chance: null, band: null } };
  const tree = shown({
    refinement: { ...full.refinement, calibrationInterval: null },
    maxProbability: selective,
    maxLogitNorm: null,
    before: none,
    after: none,
    conformal: null,
    calibrators: null,
    missing: { maxLogitNorm: "Two classes.", "before.l2": "No pairs.", "after.kernel": "One image.", conformal: "Few.", calibrators: "Fewer." },
  });
  assert.match(textOf(tree), /norm of the logits: Two classes\..*Not available\. Few\..*Not available\. Fewer\./s);
  assert.deepEqual(row(tree, "ℓ2 error").slice(1), ["–", "No pairs.", "–", ""]);
  assert.deepEqual(row(tree, "squared kernel").slice(1), ["–", "", "–", "One image."]);
  assert.doesNotMatch(textOf(tree), /outside the band|95 % interval 0/);
  assert.equal(elementsOf(tree).some(({ type }) => type === "polygon"), false);
});
