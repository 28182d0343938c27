import { useState } from "preact/hooks";
import { useResource } from "../api/resource";
import type { Evaluation, Page } from "../api/types";
import { evaluationName, figure, signed, words } from "../format";
import { Ago, Paging, ProblemBox, Table } from "../parts";
import { go } from "../router";
import { mostCompared } from "./compare";
import { useTitle } from "./title";

/** Models that were trained elsewhere, newest first. */
export function Evaluations({ query }: { query: URLSearchParams }) {
  useTitle("Evaluations");
  const { value: page, problem } = useResource<Page<Evaluation>>(`/evaluations?${query}`);
  const [chosen, setChosen] = useState<string[]>([]);
  const toggle = (id: string) => setChosen(chosen.includes(id) ? chosen.filter(one => one !== id) : [...chosen, id]);
  const head = (
    <>
      <th scope="col">
        <span class="unseen">Compare</span>
      </th>
      <th scope="col">Evaluation</th>
      <th scope="col">Verdict</th>
      <th scope="col" class="number">
        Accuracy
      </th>
      <th scope="col" class="number">
        ECE
      </th>
      <th scope="col" class="number wide">
        ECE after temperature
      </th>
      <th scope="col" class="number wide">
        Gap
      </th>
      <th scope="col" class="number wide">
        Submitted
      </th>
    </>
  );

  return (
    <>
      <div class="heading">
        <h1>Evaluations</h1>
        <button type="button" disabled={chosen.length < 1} onClick={() => go(`/compare?evaluations=${chosen.join(",")}`)}>
          Compare{chosen.length > 0 && ` ${chosen.length}`}
        </button>
        <a class="button primary" href="#/submit/evaluation">
          Evaluate a model
        </a>
      </div>
      <ProblemBox problem={problem} />
      {page && page.items.length > 0 && (
        <Table label="Evaluations" head={head}>
          {page.items.map(evaluation => (
            <tr key={evaluation.id}>
              <td>
                <input
                  type="checkbox"
                  aria-label={`Compare ${evaluationName(evaluation)}`}
                  checked={chosen.includes(evaluation.id)}
                  disabled={chosen.length >= mostCompared && !chosen.includes(evaluation.id)}
                  onChange={() => toggle(evaluation.id)}
                />
              </td>
              <td>
                <a href={`#/evaluations/${evaluation.id}`} class={evaluation.name ? "name" : "name id"}>
                  {evaluationName(evaluation)}
                </a>
                <div class="quiet">
                  {evaluation.count} images · {evaluation.classes} classes
                </div>
              </td>
              <td>{words(evaluation.scores.verdict)}</td>
              <td class="number">{figure(evaluation.scores.accuracy)}</td>
              <td class="number">{figure(evaluation.scores.ece)}</td>
              <td class="number wide">{figure(evaluation.scores.eceAfterTemperature)}</td>
              <td class="number wide">{signed(evaluation.scores.signedGap)}</td>
              <td class="number wide">
                <Ago time={evaluation.createdAt} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {page?.items.length === 0 && (
        <p class="empty">
          No evaluation here. An evaluation judges a model that was trained elsewhere, from its outputs on a test set.
        </p>
      )}
      <Paging path="/evaluations" query={query} next={page?.next} />
    </>
  );
}
