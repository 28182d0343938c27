import { remove } from "../api/client";
import { useResource } from "../api/resource";
import type { Evaluation } from "../api/types";
import { CalibrationReport } from "../calibration";
import { evaluationName, figure, shortId, signed } from "../format";
import { Actions, Ago, Big, ProblemBox, Values } from "../parts";
import { go, href } from "../router";
import { useTitle } from "./title";

/** A model that was trained elsewhere: what is known of it, and its calibration report. */
export function EvaluationPage({ id }: { id: string }) {
  const { value: shown, problem } = useResource<Evaluation>(`/evaluations/${id}`);
  useTitle(`Evaluation ${shown ? evaluationName(shown) : shortId(id)}`);
  return (
    <>
      <ProblemBox problem={problem} />
      <h1>{shown ? evaluationName(shown) : `Evaluation ${shortId(id)}`}</h1>
      {shown && <Head evaluation={shown} />}
      {shown && (
        <section>
          <div class="heading">
            <h2>Calibration</h2>
            <span class="links">
              <a href={`/evaluations/${id}/calibration`}>Report (JSON)</a>
            </span>
          </div>
          <CalibrationReport path={`/evaluations/${id}/calibration`} />
        </section>
      )}
      {shown && (
        <details>
          <summary>The file</summary>
          <Values
            values={[
              ["id", id],
              ["outputs", shown.outputs],
              ["SHA-256", shown.sha256],
            ]}
          />
        </details>
      )}
    </>
  );
}

function Head({ evaluation: { id, count, classes, validationCount, scores, notes, createdAt } }: { evaluation: Evaluation }) {
  return (
    <>
      <p class="quiet">
        {count} images · {classes} classes ·{" "}
        {validationCount === null ? "no validation images" : `${validationCount} validation images`} · submitted{" "}
        <Ago time={createdAt} />
      </p>
      <Actions
        actions={[
          {
            name: "Delete",
            question: "Delete the evaluation? Its outputs and its report are removed for good.",
            run: () => remove(`/evaluations/${id}`).then(() => go("/evaluations")),
          },
        ]}
      >
        <a class="button" href={href("/compare", { evaluations: id })}>
          Compare
        </a>
      </Actions>
      <dl class="figures">
        <Big name="Accuracy" value={figure(scores.accuracy)} />
        <Big name="ECE" value={figure(scores.ece)} />
        <Big name="Confidence − accuracy" value={signed(scores.signedGap)} />
        <Big name="Temperature" value={figure(scores.temperature, 3)} />
      </dl>
      {notes.map(note => (
        <p key={note} class="reason">
          {note.replaceAll("`", "")}
        </p>
      ))}
    </>
  );
}
