import { useEffect } from "preact/hooks";
import type uPlot from "uplot";
import { indexOf, type Props, within, type Zoom } from "./curves";

/** Lets one finger read the figures of an epoch, and two fingers zoom. Moving one finger up or down still scrolls the page. */
export function useTouch(plot: uPlot | undefined, latest: { current: Props }): void {
  useEffect(() => {
    if (!plot) return;
    const { over } = plot;
    /** The epochs that were below two fingers when the second one came down. */
    let pinch: [number, number] | null = null;

    /** The fingers on the chart, as parts of its width from the left, leftmost first. */
    const parts = (event: TouchEvent): number[] => {
      const { left, width } = over.getBoundingClientRect();
      return [...event.targetTouches].map(touch => (touch.clientX - left) / width).sort((a, b) => a - b);
    };

    function onTouch(event: TouchEvent): void {
      const { epochs, onHover, onZoom } = latest.current;
      const zoom: NonNullable<Zoom> = latest.current.zoom ?? [epochs[0] ?? 1, epochs.at(-1) ?? 1];
      const epochAt = (part: number): number => zoom[0] + part * (zoom[1] - zoom[0]);
      const [left, right] = parts(event);
      if (left === undefined) return;
      if (right === undefined) {
        pinch = null;
        onHover(epochs[indexOf(epochs, Math.round(epochAt(left)))] ?? null);
        return;
      }
      event.preventDefault();
      onHover(null); // the first finger came down before the second
      pinch ??= [epochAt(left), epochAt(right)];
      if (event.type !== "touchmove" || right - left < 0.02) return;
      // The epochs that were below the fingers stay below them.
      const [from, to] = pinch;
      const span = (to - from) / (right - left);
      onZoom(within(epochs, from - left * span, from + (1 - left) * span));
    }

    function onEnd(event: TouchEvent): void {
      if (event.targetTouches.length < 2) pinch = null;
    }

    over.addEventListener("touchstart", onTouch);
    over.addEventListener("touchmove", onTouch);
    over.addEventListener("touchend", onEnd);
    over.addEventListener("touchcancel", onEnd);
    return () => {
      over.removeEventListener("touchstart", onTouch);
      over.removeEventListener("touchmove", onTouch);
      over.removeEventListener("touchend", onEnd);
      over.removeEventListener("touchcancel", onEnd);
    };
  }, [plot]);
}
