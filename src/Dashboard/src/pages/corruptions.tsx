import { useResource } from "../api/resource";
import type { Corruptions, SplitScores } from "../api/types";
import { type Line, LineChart } from "../charts/lines";
import { Legend } from "../charts/swatch";
import { figure } from "../format";
import { ProblemBox } from "../parts";

const charts: [keyof SplitScores, string, string][] = [
  ["accuracy", "Accuracy", "higher is better"],
  ["eceAfterTemperature", "ECE after temperature", "lower is better"],
];

/** The figures of a job on corrupted test images, by kind and strength. */
export function CorruptionSection({ id }: { id: string }) {
  const { value, problem } = useResource<Corruptions>(`/jobs/${id}/corruptions`);
  const kinds = [...new Set(value?.rows.map(row => row.kind))];
  return (
    <section>
      <div class="heading">
        <h2>Corrupted test images</h2>
        <span class="quiet">strength 0: as they are; T is from the validation split, which is not corrupted</span>
      </div>
      <ProblemBox problem={problem} />
      {value && (
        <>
          <Legend names={kinds} />
          <div class="charts two">
            {charts.map(([name, title, note]) => (
              <LineChart
                key={name}
                title={title}
                axis="strength"
                note={`${note}; mean over all ${value.rows.length}: ${figure(value.mean[name])}`}
                lines={kinds.map(kind => lineOf(value, kind, name))}
              />
            ))}
          </div>
        </>
      )}
    </section>
  );
}

function lineOf({ clean, rows }: Corruptions, kind: string, name: keyof SplitScores): Line {
  const strengths = [{ kind, strength: 0, scores: clean }, ...rows.filter(row => row.kind === kind)];
  return {
    name: kind,
    points: strengths.map(({ strength, scores }) => ({
      x: strength,
      label: `${kind} of strength ${strength}`,
      mean: { mean: scores[name], interval: null },
      seeds: [],
      isRecommended: false,
    })),
  };
}
