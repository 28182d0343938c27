import type { ComponentChildren } from "preact";
import type { Bin, Corp } from "../api/types";
import { figure } from "../format";
import { Diagram, x, y } from "./diagram";
import { Count, mostOf } from "./reliability";

interface Props {
  title: string;
  corp: Corp;
  /** How many images have which confidence. */
  bins: Bin[];
  children: ComponentChildren;
}

/** A reliability diagram without bins: the steps of the curve, and the band of a calibrated model. Text stands beside. */
export function CorpDiagram({ title, corp: { curve, band }, bins, children }: Props) {
  const most = mostOf(bins);
  return (
    <Diagram
      title={title}
      label={describe(title, curve)}
      marks={
        <>
          {bins.map(bin => (
            <Count key={`${bin.lower} ${bin.upper}`} bin={bin} most={most} />
          ))}
          {band && <polygon class="band" points={edgeOf(band)} />}
          <polyline class="curve" points={curve.map(endsOf).join(" ")} />
          {curve.map(step => (
            <polyline key={step.from} class="target" points={endsOf(step)}>
              <title>{sentence(step)}</title>
            </polyline>
          ))}
        </>
      }
    >
      {children}
    </Diagram>
  );
}

/** How many of the band's confidences have the curve outside it. */
export const outside = (curve: Corp["curve"], band: NonNullable<Corp["band"]>): number =>
  band.filter(({ confidence, low, high }) => {
    const step = curve.find(({ from, to }) => from <= confidence && confidence <= to);
    return step && (step.probability < low || step.probability > high);
  }).length;

const at = (confidence: number, share: number): string => `${x(confidence).toFixed(1)},${y(share).toFixed(1)}`;

const endsOf = ({ from, to, probability }: Corp["curve"][number]): string => `${at(from, probability)} ${at(to, probability)}`;

/** Along the lower edge, and back along the upper one. */
const edgeOf = (band: NonNullable<Corp["band"]>): string =>
  [
    ...band.map(({ confidence, low }) => at(confidence, low)),
    ...band.map(({ confidence, high }) => at(confidence, high)).reverse(),
  ].join(" ");

const sentence = ({ from, to, count, probability }: Corp["curve"][number]): string =>
  `confidence ${figure(from, 2)} to ${figure(to, 2)}: ${figure(probability)} right, ${count} images`;

const describe = (title: string, curve: Corp["curve"]): string =>
  `Reliability curve without bins, ${title}. ${curve.map(sentence).join(". ")}.`;
