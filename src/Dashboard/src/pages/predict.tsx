import { useState } from "preact/hooks";
import { post, type Problem } from "../api/client";
import type { Prediction } from "../api/types";
import { figure } from "../format";
import { ProblemBox, Table } from "../parts";

/** Classes that are shown of each image, the likeliest first. */
const MOST = 3;

interface Answer {
  files: string[];
  items: Prediction[];
}

/** Lets the reader ask the job's model about images of their own. */
export function PredictSection({ id }: { id: string }) {
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState<Problem>();

  async function ask(files: File[]): Promise<void> {
    if (files.length === 0) return;
    const form = new FormData();
    for (const file of files) form.append("images", file);
    setProblem(undefined);
    await post<{ items: Prediction[] }>(`/jobs/${id}/predict`, form)
      .then(({ items }) => setAnswer({ files: files.map(file => file.name), items }))
      .catch(setProblem);
  }

  return (
    <section>
      <div class="heading">
        <h2>Try it</h2>
        <span class="links">
          <a href={`/jobs/${id}/model?format=onnx`} download>
            Model (ONNX)
          </a>
        </span>
      </div>
      <label>
        Images, PNG or JPEG, of the size that the model was trained on{" "}
        <input
          type="file"
          multiple
          accept="image/png,image/jpeg"
          onChange={event => void ask([...(event.currentTarget.files ?? [])])}
        />
      </label>
      <ProblemBox problem={problem} />
      {problem &&
        Object.entries(problem.errors).map(([part, [sentence]]) => (
          <p key={part} class="problem">
            {part} {sentence}
          </p>
        ))}
      {answer && <Predictions answer={answer} />}
    </section>
  );
}

function Predictions({ answer: { files, items } }: { answer: Answer }) {
  const head = (
    <>
      <th scope="col">Image</th>
      <th scope="col">Calibrated probabilities</th>
    </>
  );
  return (
    <Table label="Predictions" head={head}>
      {items.map((item, i) => (
        <tr key={i}>
          <th scope="row">{files[i]}</th>
          <td>{likeliest(item.probabilities).map(label => shown(item, label)).join(" · ")}</td>
        </tr>
      ))}
    </Table>
  );
}

const likeliest = (probabilities: number[]): number[] =>
  probabilities
    .map((_, label) => label)
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, MOST);

/** The answer names only the class of the label. */
const shown = (item: Prediction, label: number): string =>
  `${(label === item.label && item.className) || `class ${label}`} ${figure(item.probabilities[label]!, 3)}`;
