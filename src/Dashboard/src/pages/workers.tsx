import { session } from "../api/client";
import { useLive } from "../api/live";
import { useResource } from "../api/resource";
import type { Items, Worker } from "../api/types";
import { shortId } from "../format";
import { Ago, Badge, ProblemBox, Table } from "../parts";
import { useStore } from "../store";
import { useTitle } from "./title";

export function Workers() {
  useTitle("Workers");
  const { scopes } = useStore(session);
  const workers = useResource<Items<Worker>>("/workers");
  useLive(null, true, workers.reload, () => undefined);
  const alive = workers.value?.items.filter(worker => worker.state === "alive") ?? [];
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0);
  const used = alive.reduce((sum, worker) => sum + worker.slotsTaken, 0);
  const head = (
    <>
      <th scope="col">Worker</th>
      <th scope="col">State</th>
      <th scope="col">Device</th>
      <th scope="col" class="number">
        Slots
      </th>
      <th scope="col">Runs</th>
      <th scope="col" class="number wide">
        Started
      </th>
    </>
  );

  return (
    <>
      <div class="heading">
        <h1>Workers</h1>
        {workers.value && (
          <span class="quiet">
            {used} of {slots} slots in use
          </span>
        )}
        {scopes.includes("admin") && (
          <a class="button" href="/hangfire">
            Hangfire's dashboard
          </a>
        )}
      </div>
      <ProblemBox problem={workers.problem} />
      {workers.value && (
        <Table label="Workers" head={head}>
          {workers.value.items.map(worker => (
            <tr key={worker.id}>
              <th scope="row">{worker.name}</th>
              <td>
                <Badge state={worker.state} />
                {worker.suspendedReason && <div class="quiet">{worker.suspendedReason}</div>}
                {worker.state === "silent" && (
                  <div class="quiet">
                    last heartbeat <Ago time={worker.heartbeatAt} />
                  </div>
                )}
              </td>
              <td>{worker.device}</td>
              <td class="number">
                {worker.slotsTaken} of {worker.slots}
              </td>
              <td>
                <span class="links">
                  {worker.jobs.map(id => (
                    <a key={id} class="id" href={`#/jobs/${id}`}>
                      {shortId(id)}
                    </a>
                  ))}
                </span>
              </td>
              <td class="number wide">
                <Ago time={worker.startedAt} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {workers.value?.items.length === 0 && <p class="empty">No worker is known. Jobs wait until one starts.</p>}
    </>
  );
}
