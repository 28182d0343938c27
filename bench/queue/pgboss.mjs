// pg-boss. Settings: polling, each worker at its smallest interval; woken, each worker told by notifyWorker, within its
// own process, to ask again without waiting.
import { setTimeout as sleep } from 'node:timers/promises';
import PgBoss from 'pg-boss';
import { measure, payload, poolSize, setting, workers } from './measure.mjs';

const boss = new PgBoss({ max: poolSize });
boss.on('error', error => { throw error; });
await boss.start();
await boss.createQueue('train');
const pollingIntervalSeconds = 0.5;
let ids = [];
const wake = setting === 'woken' ? id => boss.notifyWorker(id) : () => {};

await measure({
  table: 'pgboss.job',
  unfinished: "name = 'train' AND state < 'completed'",
  fill: count => boss.insert(Array.from({ length: count }, () => ({ name: 'train', data: payload }))),
  submit: async () => {
    await boss.send('train', payload);
    ids.forEach(wake);
  },
  start: async onStart => {
    ids = [];
    for (let i = 0; i < workers; i++) {
      ids.push(await boss.work('train', { batchSize: 1, pollingIntervalSeconds }, async () => {
        onStart();
        wake(ids[i]);
      }));
      // Evenly over the interval, as workers started at different times would be.
      if (setting === 'polling') await sleep(1000 * pollingIntervalSeconds / workers);
    }
    return () => boss.offWork('train');
  },
});
