import { Store } from "../store";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Counts the changes of the colour scheme. A canvas must be drawn anew after each. */
export const scheme = new Store(0);
dark.addEventListener("change", () => scheme.set(scheme.value + 1));

/** The value of a CSS variable. */
export const cssColor = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The colour of the n-th series. There are as many colours as curves can be compared. */
export const hue = (n: number): string => cssColor(`--series-${n % 6}`);

/** The dashes of the n-th series, in pixels on and off: series can be told apart without their colours. */
export const dashes = (n: number): number[] => [[], [6, 4], [2, 3], [9, 3, 2, 3], [12, 4], [5, 2, 1, 2, 1, 2]][n % 6]!;
