import { useEffect, useRef, useState } from "preact/hooks";
import { post, type Problem } from "../api/client";
import type { Predictions } from "../api/types";
import { figure } from "../format";
import { ProblemBox, Table } from "../parts";

/** Classes that are shown of each image, the likeliest first. */
const most = 3;

interface Answer {
  files: File[];
  predictions: Predictions;
}

/**
 * Lets the reader ask the job's model about images of their own.
 * @param isAsked whether the address names this section: the page then begins with it.
 */
export function PredictSection({ id, isAsked }: { id: string; isAsked: boolean }) {
  const [files, setFiles] = useState<File[]>([]);
  const [isBusy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Answer>();
  const [problem, setProblem] = useState<Problem>();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isAsked) requestAnimationFrame(() => input.current?.focus()); // after the shell has moved the focus to the page
  }, [isAsked]);

  async function ask(chosen: File[]): Promise<void> {
    setFiles(chosen);
    setProblem(undefined);
    setAnswer(undefined);
    if (chosen.length === 0) return;
    const form = new FormData();
    for (const file of chosen) form.append("images", file);
    setBusy(true);
    await post<Predictions>(`/jobs/${id}/predict`, form)
      .then(predictions => setAnswer({ files: chosen, predictions }))
      .catch(setProblem);
    setBusy(false);
  }

  const errors = problem ? Object.entries(problem.errors) : [];
  return (
    <section>
      <div class="heading">
        <h2>Predict</h2>
        <span class="links">
          <a href={`/jobs/${id}/model`} download>
            Model (safetensors)
          </a>
          <a href={`/jobs/${id}/model?format=onnx`} download>
            Model (ONNX)
          </a>
        </span>
      </div>
      <div class="field">
        <div class="label">
          <label for="predict-files">Images to classify</label>
        </div>
        <input
          type="file"
          id="predict-files"
          ref={input}
          multiple
          disabled={isBusy}
          accept="image/png,image/jpeg"
          aria-describedby="predict-help"
          aria-invalid={errors.length > 0}
          onChange={event => void ask([...(event.currentTarget.files ?? [])])}
        />
        <div id="predict-help" class="help">
          {errors.map(([part, [sentence]]) => (
            <p key={part} class="error">
              {nameOf(part, files)} {sentence}
            </p>
          ))}
          {errors.length === 0 && <p>PNG or JPEG files of the size that the model was trained on</p>}
        </div>
      </div>
      {errors.length === 0 && <ProblemBox problem={problem} />}
      <p class="quiet" role="status">
        {isBusy && "The API computes the predictions."}
        {answer &&
          `${answer.files.length === 1 ? "1 image" : `${answer.files.length} images`}. The probabilities are calibrated with ` +
            `temperature ${figure(answer.predictions.temperature, 3)}.`}
      </p>
      {answer && <Answers answer={answer} />}
    </section>
  );
}

/** The API calls the n-th image images[n]; the reader knows its file. */
function nameOf(part: string, files: File[]): string {
  const index = /^images\[(\d+)\]/.exec(part)?.[1];
  return (index !== undefined && files[Number(index)]?.name) || part;
}

function Answers({ answer: { files, predictions } }: { answer: Answer }) {
  const { items, classNames } = predictions;
  const head = (
    <>
      <th scope="col">
        <span class="unseen">Image</span>
      </th>
      <th scope="col">File</th>
      <th scope="col" class="wide">
        Class
      </th>
      <th scope="col">Calibrated probabilities</th>
    </>
  );
  const nameOf = (label: number): string => classNames?.[label] ?? `class ${label}`;
  return (
    <Table label="Predictions" head={head}>
      {items.map(({ label, probabilities }, i) => (
        <tr key={i}>
          <td>
            <Thumbnail file={files[i]!} />
          </td>
          <th scope="row">{files[i]!.name}</th>
          <td class="wide">{nameOf(label)}</td>
          <td>
            <div class="likely">
              {likeliest(probabilities).map(one => (
                <Likely key={one} name={nameOf(one)} probability={probabilities[one]!} />
              ))}
            </div>
          </td>
        </tr>
      ))}
    </Table>
  );
}

const Likely = ({ name, probability }: { name: string; probability: number }) => (
  <>
    <span>{name}</span>
    <svg class="stack s0" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      <rect width={probability} height={1} fill="currentColor" />
    </svg>
    <span class="number">{figure(probability, 3)}</span>
  </>
);

/** The image itself, drawn: the policy of the page forbids addresses of local files. */
function Thumbnail({ file }: { file: File }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    createImageBitmap(file).then(
      image => {
        const shown = canvas.current;
        if (!shown) return;
        shown.width = image.width;
        shown.height = image.height;
        shown.getContext("2d")?.drawImage(image, 0, 0);
      },
      () => undefined, // the name of the file stands beside it
    );
  }, [file]);
  return <canvas class="thumbnail" ref={canvas} aria-hidden="true" />;
}

const likeliest = (probabilities: number[]): number[] =>
  probabilities
    .map((_, label) => label)
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, most);
