import assert from "node:assert/strict";
import test from "node:test";
import { documentOf, errorsOf, fieldsOf, type OpenApiDocument, valuesOf } from "../src/api/rules";

const rules: OpenApiDocument = {
  components: {
    schemas: {
      Model: { enum: ["cnn", "mlp"], type: "string" },
      Grid: {
        properties: {
          model: { type: ["null", "array"], items: { $ref: "#/components/schemas/Model" } },
          weightDecay: { type: ["null", "array"], items: { type: "number" } },
        },
      },
      Budget: { properties: { maxJobs: { type: ["null", "integer"], description: "Largest number of jobs." } } },
      Job: {
        required: ["dataset"],
        properties: {
          dataset: { type: "string", description: "What to train on. Must be one of digits, mnist; or an uploaded one." },
          epochs: { type: "integer", description: "Passes. Must be a whole number from 1 to 10000." },
          model: { $ref: "#/components/schemas/Model", default: "cnn", description: "The network. Must be one of cnn, mlp." },
          tags: { type: "array", items: { type: "string" }, default: [] },
          data: { oneOf: [{ $ref: "#/components/schemas/Budget" }, { type: "null" }], readOnly: true },
        },
      },
      Study: {
        required: ["job"],
        properties: {
          job: { $ref: "#/components/schemas/Job" },
          epsilons: { type: "array", items: { type: "number" }, default: [0, 0.1] },
          seeds: { oneOf: [{ type: "integer" }, { type: "array", items: { type: "integer" } }, { type: "null" }] },
          grid: { oneOf: [{ $ref: "#/components/schemas/Grid" }, { type: "null" }] },
          budget: { oneOf: [{ $ref: "#/components/schemas/Budget" }, { type: "null" }] },
          halving: { type: "boolean", default: false },
        },
      },
    },
  },
};
const fields = fieldsOf(rules, "Study");
const field = (path: string) => fields.find(one => one.path === path)!;

test("fields have the document's choices, ranges and defaults", () => {
  assert.deepEqual(
    fields.map(one => one.path),
    ["job.dataset", "job.epochs", "job.model", "job.tags", "epsilons", "seeds", "grid.model", "grid.weightDecay", "budget.maxJobs", "halving"],
  );
  assert.deepEqual(field("job.dataset").choices, ["digits", "mnist"]);
  assert.equal(field("job.dataset").required, true);
  assert.equal(field("job.epochs").allowed, "a whole number from 1 to 10000");
  assert.deepEqual([field("job.model").choices, field("job.model").default], [["cnn", "mlp"], "cnn"]);
  assert.deepEqual([field("epsilons").kind, field("epsilons").default], ["numbers", "0, 0.1"]);
});

test("the document has what the form has, as numbers where it can", () => {
  const values = {
    "job.dataset": "digits",
    "job.epochs": "many",
    epsilons: "0, 0.5 1",
    seeds: "2",
    "budget.maxJobs": "9",
    "job.tags": "a b, c",
  };
  assert.deepEqual(documentOf(fields, values), {
    job: { dataset: "digits", epochs: "many", tags: ["a b", "c"] },
    epsilons: [0, 0.5, 1],
    seeds: 2,
    budget: { maxJobs: 9 },
  });
  assert.deepEqual(documentOf(fields, { seeds: "4, 5" }), { seeds: [4, 5] });
});

test("a form for an earlier spec sends that spec", () => {
  const spec = {
    job: { dataset: "mnist", epochs: 3, model: "mlp", tags: ["x"] },
    epsilons: [0, 0.2],
    seeds: [0, 1],
    grid: { model: ["cnn", "mlp"], weightDecay: [0, 0.0005] },
    halving: true,
  };
  assert.deepEqual(documentOf(fields, valuesOf(fields, spec)), spec);
  const one = { ...spec, seeds: [7] };
  assert.deepEqual(documentOf(fields, valuesOf(fields, one)), one);
  const tagged = { ...spec, job: { ...spec.job, tags: ["a, b", 'said "no"', "c"] } };
  assert.deepEqual(documentOf(fields, valuesOf(fields, tagged)), tagged);
});

test("errors of a field and of its items belong to it", () => {
  const errors = { epsilons: ["a"], "epsilons[1]": ["b"], "job.epochs": ["c"] };
  assert.deepEqual(errorsOf(errors, "epsilons"), ["a", "b"]);
  assert.deepEqual(errorsOf(errors, "job.epochs"), ["c"]);
});
