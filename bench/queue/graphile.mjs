// graphile-worker. Settings: plain, without its local queue and batched completions; batched, with them; awaited, the
// last version whose workers wait until the end of a job is stored before they ask for the next.
import pg from 'pg';
import { measure, payload, poolSize, setting, workers } from './measure.mjs';

const { Logger, makeWorkerUtils, run } = (await import(setting === 'awaited' ? 'graphile-worker-awaited' : 'graphile-worker')).default;

const pgPool = new pg.Pool({ max: poolSize });
const fail = error => { throw error; };
pgPool.on('error', fail).on('connect', client => client.on('error', fail));
const shared = { pgPool, logger: new Logger(() => () => {}) };
const batching = { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } };
const utils = await makeWorkerUtils(shared);
await utils.migrate();

await measure({
  table: 'graphile_worker._private_jobs',
  unfinished: 'true',
  fill: count => utils.withPgClient(client => client.query(
    "SELECT graphile_worker.add_job('train', $1::json) FROM generate_series(1, $2)", [JSON.stringify(payload), count])),
  submit: () => utils.addJob('train', payload),
  start: async onStart => {
    const runner = await run({
      ...shared,
      concurrency: workers,
      noHandleSignals: true,
      parsedCronItems: [],
      taskList: { train: () => { onStart(); } },
      ...(setting === 'batched' ? { preset: batching } : {}),
    });
    return () => runner.stop();
  },
});
