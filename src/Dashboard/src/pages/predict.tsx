import { useEffect, useRef, useState } from "preact/hooks";
import { post, type Problem } from "../api/client";
import type { Predictions } from "../api/types";
import { figure } from "../format";
import { ProblemBox, Table } from "../parts";

/** Classes that are shown of each image, the likeliest first. */
const most = 3;

/** Images that are drawn; each takes memory for its pixels. */
const mostDrawn = 100;

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
    if (isAsked) input.current?.focus();
  }, [isAsked]);

  async function ask(): Promise<void> {
    const chosen = [...(input.current?.files ?? [])];
    if (input.current) input.current.value = ""; // so that the same files can be chosen again
    if (isBusy || chosen.length === 0) return;
    setFiles(chosen);
    setProblem(undefined);
    setAnswer(undefined);
    const form = new FormData();
    for (const file of chosen) form.append("files", file);
    setBusy(true);
    try {
      setAnswer({ files: chosen, predictions: await post<Predictions>(`/jobs/${id}/predict`, form) });
    } catch (refused) {
      setProblem(refused as Problem);
      input.current?.focus();
    } finally {
      setBusy(false);
    }
  }

  const errors = Object.entries(problem?.errors ?? {}).flatMap(([part, messages]) =>
    messages.map(message => `${nameOf(part, files)} ${message}`),
  );
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
          accept="image/png,image/jpeg"
          aria-describedby="predict-help"
          aria-invalid={errors.length > 0}
          onClick={event => isBusy && event.preventDefault()}
          onChange={() => void ask()}
        />
        <div id="predict-help" class="help">
          {errors.length > 0 && (
            <div role="alert">
              {errors.map(error => (
                <p key={error} class="error">
                  {error}
                </p>
              ))}
            </div>
          )}
          {errors.length === 0 && <p>PNG or JPEG files of the size that the model was trained on</p>}
          {files.length > 0 && <p>Sent: {namesOf(files)}</p>}
        </div>
      </div>
      {errors.length === 0 && <ProblemBox problem={problem} />}
      {errors.length === 0 && problem?.status === 0 && (
        <p class="problem" role="alert">
          {problem.message} Choose the images again.
        </p>
      )}
      <p class="quiet" role="status">
        {isBusy && "The API computes the predictions."}
        {answer &&
          `${answer.files.length === 1 ? "1 image" : `${answer.files.length} images`}` +
            `${answer.files.length > mostDrawn ? `, of which the first ${mostDrawn} are drawn` : ""}. ` +
            `The probabilities are calibrated with temperature ${figure(answer.predictions.temperature, 3)}.`}
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

const namesOf = (files: File[]): string =>
  [...files.slice(0, 3).map(file => file.name), ...(files.length > 3 ? [`${files.length - 3} more`] : [])].join(", ");

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
          <td>{i < mostDrawn && <Thumbnail file={files[i]!} />}</td>
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
        if (shown) {
          shown.width = image.width;
          shown.height = image.height;
          shown.getContext("2d")?.drawImage(image, 0, 0);
        }
        image.close(); // it holds its pixels until then
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
