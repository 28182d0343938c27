// The same two measurements for every Node queue. The database comes in PG* variables, the payload in BENCH_PAYLOAD.
//   node QUEUE.mjs SETTING drain WORKERS JOBS      → {"seconds", "walBytes", "serverCpuSeconds", "workersCpuSeconds"}
//   node QUEUE.mjs SETTING latency WORKERS JOBS    → {"milliseconds": […]}
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export const payload = JSON.parse(process.env.BENCH_PAYLOAD);
export const [setting, what, workers, jobs] = [process.argv[2], process.argv[3], +process.argv[4], +process.argv[5]];

/** A claim and the end of the job before it can be under way at once; two more listen and submit. */
export const poolSize = 2 * workers + 2;

const costSql = readFileSync(new URL('cost.sql', import.meta.url), 'utf8');
const observer = new pg.Pool({ max: 1 });
const value = async sql => Object.values((await observer.query(sql)).rows[0])[0];

/**
 * @param queue.table where jobs are, for VACUUM ANALYZE
 * @param queue.unfinished a condition on its rows
 * @param queue.fill queues that many jobs in one transaction
 * @param queue.submit queues one job; resolves once it is committed
 * @param queue.start starts the workers, calls back at the start of each job; resolves to what stops them
 */
export async function measure(queue) {
  for (const name of ['fsync', 'synchronous_commit', 'full_page_writes'])
    if (await value(`SHOW ${name}`) !== 'on') throw new Error(`${name} must be on`);
  console.log(JSON.stringify(await (what === 'drain' ? drain : latency)(queue)));
  process.exit(0);
}

async function drain(queue) {
  await drained(queue, Math.min(jobs, 300)); // warms the pool, the plans and the compiler
  return drained(queue, jobs);
}

async function drained(queue, count) {
  await queue.fill(count);
  await observer.query(`VACUUM ANALYZE ${queue.table}`);
  const before = await spent();
  let first, started = 0;
  const { promise: allStarted, resolve } = deferred();
  const stop = await queue.start(() => {
    first ??= performance.now();
    if (++started === count) resolve();
  });
  await allStarted;
  // Ends are stored after the handler, behind its back.
  while (await value(`SELECT EXISTS (SELECT FROM ${queue.table} WHERE ${queue.unfinished})`));
  const seconds = (performance.now() - first) / 1000;
  const after = await spent();
  await stop();
  return { seconds, ...Object.fromEntries(Object.keys(after).map(key => [key, after[key] - before[key]])) };
}

async function spent() {
  const { wal_bytes, cpu_seconds } = (await observer.query(costSql)).rows[0];
  const { user, system } = process.cpuUsage();
  return { walBytes: wal_bytes, serverCpuSeconds: cpu_seconds, workersCpuSeconds: (user + system) / 1e6 };
}

async function latency(queue) {
  let begun;
  await queue.start(() => begun(performance.now()));
  const milliseconds = [];
  for (let i = -5; i < jobs; i++) {
    // Any phase of every queue's poll, the shortest of which is half a second.
    await sleep(i < 0 ? 20 : 50 + Math.random() * 600);
    const { promise: start, resolve } = deferred();
    begun = resolve;
    await queue.submit();
    const committed = performance.now();
    const waited = await start - committed;
    if (i >= 0) milliseconds.push(waited);
  }
  return { milliseconds };
}

function deferred() {
  let resolve;
  return { promise: new Promise(settle => { resolve = settle; }), resolve };
}
