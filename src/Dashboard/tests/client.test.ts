import assert from "node:assert/strict";
import test from "node:test";
import { get, mayPass, Problem, reachable, submit } from "../src/api/client";

async function problemOf(answer: () => Promise<Response>): Promise<Problem> {
  globalThis.fetch = answer;
  const problem = await get("/jobs").then(
    () => assert.fail("it was read"),
    problem => problem,
  );
  assert.ok(problem instanceof Problem);
  return problem;
}

test("what is no answer of the API is an outage", async () => {
  const broken = new ReadableStream({ start: body => body.error(new TypeError("the connection was lost")) });
  for (const answer of [
    () => Promise.reject(new TypeError("refused")),
    () => Promise.resolve(new Response(broken)),
    () => Promise.resolve(new Response("<html>A proxy's page</html>")),
  ]) {
    reachable.set(true);
    const problem = await problemOf(answer);
    assert.equal(problem.status, 0);
    assert.ok(mayPass(problem));
    assert.equal(reachable.value, false);
  }
});

test("an error answer has the API's words, or its status", async () => {
  const told = await problemOf(async () => Response.json({ title: "No.", detail: "Why.", errors: { a: ["b"] } }, { status: 422 }));
  assert.deepEqual([told.status, told.message, told.detail, told.errors], [422, "No.", "Why.", { a: ["b"] }]);
  const page = await problemOf(async () => new Response("<html>", { status: 502 }));
  assert.deepEqual([page.status, page.message, mayPass(page)], [502, "The API answered 502.", true]);
  assert.ok(reachable.value);
});

test("a submission is sent with its key", async () => {
  let sent: RequestInit | undefined;
  globalThis.fetch = async (_, request) => {
    sent = request;
    return Response.json({ id: "1" });
  };
  assert.deepEqual(await submit("/jobs", { epochs: 3 }, "k"), { id: "1" });
  assert.equal(new Headers(sent?.headers).get("idempotency-key"), "k");
  assert.equal(sent?.body, '{"epochs":3}');
});
