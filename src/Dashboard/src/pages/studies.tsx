import { mayPass } from "../api/client";
import { useLive, useThrottled } from "../api/live";
import { useResource } from "../api/resource";
import type { Page, StudyItem } from "../api/types";
import { shortId, words } from "../format";
import { Ago, Badge, Paging, ProblemBox, StudyBar, Table } from "../parts";
import { useTitle } from "./title";

export function Studies({ query }: { query: URLSearchParams }) {
  useTitle("Studies");
  const studies = useResource<Page<StudyItem>>(`/studies?${query}`);
  const reload = useThrottled(studies.reload);
  useLive(
    "/events",
    studies.value !== undefined || mayPass(studies.problem),
    studies.reload,
    event => (event.state || event.study) && reload(),
  );
  const head = (
    <>
      <th scope="col">Study</th>
      <th scope="col">State</th>
      <th scope="col" class="number wide">
        Submitted
      </th>
    </>
  );

  return (
    <>
      <div class="heading">
        <h1>Studies</h1>
        <a class="button primary" href="#/submit/study">
          Submit a study
        </a>
      </div>
      <ProblemBox problem={studies.problem} />
      {studies.value?.note && <p class="warning">{studies.value.note}</p>}
      {studies.value && (
        <Table label="Studies" head={head}>
          {studies.value.items.map(study => (
            <tr key={study.id}>
              <td>
                <a class={study.name ? "name" : "name id"} href={`#/studies/${study.id}`}>
                  {study.name ?? shortId(study.id)}
                </a>
                <div class="quiet">
                  {study.dataset} · by {words(study.criterion)}
                </div>
              </td>
              <td>
                <Badge state={study.state} /> <StudyBar progress={study.progress} />
              </td>
              <td class="number wide">
                <Ago time={study.createdAt} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {studies.value?.items.length === 0 && <p class="empty">No study here. A study trains several ε and says which to use.</p>}
      <Paging path="/studies" query={query} next={studies.value?.next} />
    </>
  );
}
