import { useResource } from "../api/resource";
import type { Dataset, Page } from "../api/types";
import { count, size } from "../format";
import { Ago, Paging, ProblemBox, Table } from "../parts";
import { useTitle } from "./title";

/** What a spec's data set may be: what every installation has, and what was uploaded. */
export function Datasets({ query }: { query: URLSearchParams }) {
  useTitle("Data sets");
  const { value: page, problem } = useResource<Page<Dataset>>(`/datasets?${query}`);
  const head = (
    <>
      <th scope="col">Data set</th>
      <th scope="col" class="number">
        Classes
      </th>
      <th scope="col" class="number">
        Image
      </th>
      <th scope="col" class="number">
        Train
      </th>
      <th scope="col" class="number wide">
        Validation
      </th>
      <th scope="col" class="number wide">
        Test
      </th>
      <th scope="col" class="number wide">
        Pixels
      </th>
      <th scope="col" class="number wide">
        Uploaded
      </th>
    </>
  );

  return (
    <>
      <div class="heading">
        <h1>Data sets</h1>
        <a class="button primary" href="#/submit/dataset">
          Upload a data set
        </a>
      </div>
      <ProblemBox problem={problem} />
      {page && (
        <Table label="Data sets" head={head}>
          {page.items.map(one => (
            <tr key={one.name}>
              <td>
                <a class="name" href={`#/datasets/${one.name}`}>
                  {one.name}
                </a>
                {one.version === null && <div class="quiet wide">{one.about}</div>}
              </td>
              <td class="number">{one.classes}</td>
              <td class="number">{shapeOf(one)}</td>
              <td class="number">{count(one.trainImages)}</td>
              <td class="number wide">{one.validationImages === null ? "–" : count(one.validationImages)}</td>
              <td class="number wide">{count(one.testImages)}</td>
              <td class="number wide">{size(pixelsOf(one))}</td>
              <td class="number wide">{one.createdAt ? <Ago time={one.createdAt} /> : "built in"}</td>
            </tr>
          ))}
        </Table>
      )}
      <Paging path="/datasets" query={query} next={page?.next} />
    </>
  );
}

export const shapeOf = ({ channels, height, width }: Dataset): string =>
  `${height} × ${width}, ${channels === 1 ? "grey" : "colour"}`;

/** Bytes of all its pixels. */
export const pixelsOf = ({ channels, height, width, trainImages, validationImages, testImages }: Dataset): number =>
  channels * height * width * (trainImages + (validationImages ?? 0) + testImages);
