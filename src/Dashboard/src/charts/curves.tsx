import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figure } from "../format";
import { useStore } from "../store";
import { downsample, type Sample } from "./downsample";
import { Swatch } from "./swatch";
import { cssColor, dashes, hue, scheme } from "./theme";
import { useTouch } from "./touch";

/** A curve over the epochs 1, 2, …; its figures are by index. */
export interface Curve {
  name: string;
  figures: Sample[];
  /** Which colour and dashes it has. */
  series: number;
}

/** The visible epochs; null shows all. */
export type Zoom = [from: number, to: number] | null;

export interface Props {
  title: string;
  epochs: number[];
  curves: Curve[];
  zoom: Zoom;
  onZoom: (zoom: Zoom) => void;
  /** The epoch whose figures are shown; null shows the last figure of each curve. */
  hovered: number | null;
  onHover: (epoch: number | null) => void;
}

const height = 200;
const pixelsPerBucket = 4;

/**
 * Curves over epochs. Dragging, + and −, or two fingers zoom; the arrow keys or one finger move through the epochs; Escape or a
 * double click shows all again.
 */
export function Curves(props: Props) {
  const { title, epochs, curves, zoom } = props;
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [plot, setPlot] = useState<uPlot>();
  const [width, setWidth] = useState(0);
  const shades = useStore(scheme);
  const names = curves.map(curve => curve.name).join("\n");

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const made = new uPlot(optionsOf(latest), [[], ...latest.current.curves.map(() => [])], host.current!);
    setPlot(made);
    return () => made.destroy();
  }, [names, shades]);

  const drawn = useMemo(() => dataOf(epochs, curves, zoom, Math.max(20, width / pixelsPerBucket)), [epochs, curves, zoom, width]);

  useEffect(() => {
    if (!plot || width === 0 || plot.series.length !== drawn.length) return;
    plot.batch(() => {
      if (plot.width !== width) plot.setSize({ width, height });
      plot.setData(drawn, false);
      const [from, to] = zoom ?? [epochs[0] ?? 1, epochs.at(-1) ?? 1];
      plot.setScale("x", { min: from, max: Math.max(to, from + 1) });
    });
  }, [plot, drawn, width]);

  useTouch(plot, latest);

  const at = props.hovered === null ? epochs.length - 1 : indexOf(epochs, props.hovered);
  useEffect(() => {
    // The browser moves the cursor of the chart below the mouse; the others follow.
    if (!plot || host.current!.matches(":hover")) return;
    plot.setCursor({ left: props.hovered === null ? -10 : plot.valToPos(props.hovered, "x"), top: -10 }, false);
  }, [plot, props.hovered]);

  const epoch = epochs[at];
  const read = ({ figures }: Curve) =>
    figure(props.hovered === null ? figures.findLast(sample => sample !== undefined) : figures[at]);
  const readout =
    epoch === undefined ? "no epoch yet" : `epoch ${epoch}: ${curves.map(one => `${one.name} ${read(one)}`).join(", ")}`;

  function onKeyDown(event: KeyboardEvent): void {
    const next = keyed(event.key, props, at);
    if (!next) return;
    event.preventDefault();
    next();
  }

  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        <span class="legend">
          {curves.map(curve => (
            <span key={curve.name}>
              <Swatch series={curve.series} />
              {curve.name} <span class="read">{read(curve)}</span>
            </span>
          ))}
        </span>
      </figcaption>
      <div
        ref={host}
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={`${title} by epoch`}
        aria-valuemin={epochs[0] ?? 0}
        aria-valuemax={epochs.at(-1) ?? 0}
        aria-valuenow={epoch ?? 0}
        aria-valuetext={readout}
        onKeyDown={onKeyDown}
        onMouseLeave={() => props.onHover(null)}
        onDblClick={() => props.onZoom(null)}
      />
    </figure>
  );
}

function dataOf(epochs: number[], curves: Curve[], zoom: Zoom, buckets: number): uPlot.AlignedData {
  // One epoch more on each side, so that lines reach the edges.
  const from = zoom ? Math.max(0, epochs.findIndex(epoch => epoch >= zoom[0]) - 1) : 0;
  const past = zoom ? epochs.findIndex(epoch => epoch > zoom[1]) : -1;
  const to = past < 0 ? epochs.length : past + 1;
  const kept = downsample(
    curves.map(curve => curve.figures),
    from,
    to,
    Math.floor(buckets),
  );
  return [kept.map(i => epochs[i]!), ...curves.map(curve => kept.map(i => curve.figures[i] ?? null))];
}

/** The zoom from one epoch to another; null when that shows all. */
export function within(epochs: number[], from: number, to: number): Zoom {
  const [first, last] = [epochs[0] ?? 1, epochs.at(-1) ?? 1];
  const [low, high] = [Math.max(first, Math.round(from)), Math.min(last, Math.round(to))];
  return low <= first && high >= last ? null : [low, Math.max(high, low + 1)];
}

/** The index of the epoch, of the next one where it is missing, or of the last one; −1 when there is none. */
export function indexOf(epochs: number[], epoch: number): number {
  const found = epochs.findIndex(one => one >= epoch);
  return found < 0 ? epochs.length - 1 : found;
}

/** What a key does; null for other keys. */
function keyed(key: string, { epochs, zoom, onZoom, onHover }: Props, at: number): (() => void) | null {
  const hover = (index: number) => () => onHover(epochs[Math.min(Math.max(index, 0), epochs.length - 1)] ?? null);
  const [first, last] = zoom ?? [epochs[0] ?? 1, epochs.at(-1) ?? 1];
  const zoomTo = (span: number) => () => {
    const middle = epochs[at] ?? last;
    onZoom(within(epochs, middle - span / 2, middle + span / 2));
  };
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return hover(at - 1);
    case "ArrowRight":
    case "ArrowUp":
      return hover(at + 1);
    case "PageDown":
      return hover(at - 10);
    case "PageUp":
      return hover(at + 10);
    case "Home":
      return hover(0);
    case "End":
      return hover(epochs.length - 1);
    case "+":
      return zoomTo((last - first) / 2);
    case "-":
      return zoomTo((last - first) * 2);
    case "Escape":
      return () => onZoom(null);
    default:
      return null;
  }
}

function optionsOf(latest: { current: Props }): uPlot.Options {
  const { curves } = latest.current;
  const axis = {
    stroke: cssColor("--muted"),
    grid: { stroke: cssColor("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    width: 300,
    height,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 20, gap: 3, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, size: 46, gap: 6 },
    ],
    series: [
      {},
      ...curves.map(curve => ({
        label: curve.name,
        stroke: hue(curve.series),
        width: 1.5,
        dash: dashes(curve.series),
        points: { show: (plot: uPlot) => plot.data[0].length <= 40, size: 5, fill: hue(curve.series) },
      })),
    ],
    cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 4 }, points: { size: 7 } },
    hooks: {
      setCursor: [
        plot => {
          const { left = -1 } = plot.cursor;
          const { epochs, onHover } = latest.current;
          // A zoom moves the cursor too, also when the mouse has left.
          if (left >= 0 && plot.over.matches(":hover")) onHover(epochs[indexOf(epochs, Math.round(plot.posToVal(left, "x")))] ?? null);
        },
      ],
      setSelect: [
        plot => {
          if (plot.select.width < 1) return;
          const from = Math.floor(plot.posToVal(plot.select.left, "x"));
          const to = Math.ceil(plot.posToVal(plot.select.left + plot.select.width, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom([Math.max(1, from), Math.max(to, from + 1)]);
        },
      ],
    },
  };
}
