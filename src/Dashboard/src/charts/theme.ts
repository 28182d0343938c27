import { Store } from "../store";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Counts the changes of the colour scheme. A canvas must be drawn anew after each. */
export const scheme = new Store(0);
dark.addEventListener("change", () => scheme.set(scheme.value + 1));

/** The value of a CSS variable. */
export const cssColor = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The CSS variable of the n-th series, which has as many colours as curves can be compared. */
export const hue = (n: number): string => `--series-${n % 6}`;
