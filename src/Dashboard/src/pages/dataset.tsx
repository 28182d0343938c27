import { remove } from "../api/client";
import { useResource } from "../api/resource";
import type { ClassCount, Dataset } from "../api/types";
import { count, size } from "../format";
import { Actions, Ago, Big, ProblemBox, Table } from "../parts";
import { go, href } from "../router";
import { pixelsOf, shapeOf } from "./datasets";
import { useTitle } from "./title";

/** A version of a data set: its parts, its classes and some of its images. */
export function DatasetPage({ name }: { name: string }) {
  const { value: shown, problem } = useResource<Dataset>(`/datasets/${name}`);
  useTitle(`Data set ${shown?.name ?? name}`);
  return (
    <>
      <ProblemBox problem={problem} />
      <h1>{shown?.name ?? name}</h1>
      {shown && <Head dataset={shown} />}
      {shown?.samples && shown.mean && <Pictures dataset={shown} samples={shown.samples} mean={shown.mean} />}
      {shown?.counts && <Classes counts={shown.counts} />}
      {shown?.sha256 && (
        <p class="quiet">
          SHA-256 of its content <span class="id">{shown.sha256}</span>
        </p>
      )}
    </>
  );
}

function Head({ dataset }: { dataset: Dataset }) {
  const { name, version, about, classes, trainImages, validationImages, testImages, note, createdAt } = dataset;
  return (
    <>
      <p class="quiet">
        {version === null && `${about} `}
        {classes} classes · images of {shapeOf(dataset)} · {size(pixelsOf(dataset))} of pixels
        {createdAt && (
          <>
            {" · uploaded "}
            <Ago time={createdAt} />
          </>
        )}
        {" · "}
        <a href={href("/jobs", { dataset: name })}>its jobs</a>
      </p>
      <Actions
        actions={
          version === null
            ? []
            : [
                {
                  name: "Delete",
                  question: `Delete ${name}? Its images are removed for good. The API refuses while a job or a study uses it.`,
                  run: () => remove(`/datasets/${name}`).then(() => go("/datasets")),
                },
              ]
        }
      >
        <a class="button" href={href("/submit", { dataset: name })}>
          Train on it
        </a>
        <a class="button" href={href("/submit/study", { dataset: name })}>
          Study on it
        </a>
      </Actions>
      <dl class="figures">
        <Big name="Training images" value={count(trainImages)} />
        <Big name="Validation images" value={validationImages === null ? "–" : count(validationImages)} />
        <Big name="Test images" value={count(testImages)} />
      </dl>
      {validationImages === null && (
        <p class="reason">A job keeps its validationFraction of the training images for validation.</p>
      )}
      {note && <p class="reason">{note}</p>}
    </>
  );
}

function Pictures({ dataset: { name, classes }, samples, mean }: { dataset: Dataset; samples: string; mean: string }) {
  return (
    <section>
      <h2>Images</h2>
      <div class="pictures">
        <figure class="chart">
          <figcaption>
            <b>First training images of each class</b>
            {classes > 100 && <span class="quiet">of the first 100 classes</span>}
          </figcaption>
          <img src={samples} alt={`Some training images of ${name}, ten to a row, class after class`} />
        </figure>
        <figure class="chart">
          <figcaption>
            <b>Mean training image</b>
          </figcaption>
          <img src={mean} alt={`The mean of the training images of ${name}`} />
        </figure>
      </div>
    </section>
  );
}

const parts = ["train", "validation", "test"] as const;

/** How many images each class has, as bars and as numbers. */
function Classes({ counts }: { counts: ClassCount[] }) {
  const shown = parts.filter(part => counts.some(one => one[part] > 0));
  const totals = counts.map(totalOf);
  const most = Math.max(...totals);
  const head = (
    <>
      <th scope="col">Class</th>
      {shown.map(part => (
        <th scope="col" class="number" key={part}>
          <span class={`key s${parts.indexOf(part)}`} /> {part}
        </th>
      ))}
      <th scope="col" class="bars">
        <span class="unseen">The same as bars</span>
      </th>
    </>
  );
  return (
    <section>
      <div class="heading">
        <h2>Images of each class</h2>
        <span class="quiet">
          {[...new Set([Math.min(...totals), most])].map(count).join(" to ")} a class
        </span>
      </div>
      <div class="tall">
        <Table label="Images of each class" head={head}>
          {counts.map((one, label) => (
            <tr key={label}>
              <th scope="row">{one.name}</th>
              {shown.map(part => (
                <td class="number" key={part}>
                  {count(one[part])}
                </td>
              ))}
              <td class="bars">
                <Stack counts={one} most={most} />
              </td>
            </tr>
          ))}
        </Table>
      </div>
    </section>
  );
}

const totalOf = (one: ClassCount): number => one.train + one.validation + one.test;

/** The parts of a class beside each other; the widest class fills the width. */
function Stack({ counts, most }: { counts: ClassCount; most: number }) {
  const ends = parts.map((_, i) => parts.slice(0, i + 1).reduce((sum, part) => sum + counts[part], 0));
  return (
    <svg class="stack" viewBox={`0 0 ${most} 1`} preserveAspectRatio="none" aria-hidden="true">
      {parts.map((part, i) => (
        <rect key={part} class={`s${i}`} x={ends[i]! - counts[part]} width={counts[part]} height={1} fill="currentColor" />
      ))}
    </svg>
  );
}
