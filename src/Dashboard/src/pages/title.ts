import { useEffect } from "preact/hooks";

export function useTitle(title: string): void {
  useEffect(() => {
    const before = document.title;
    document.title = `${title} · Temper`;
    return () => {
      document.title = before; // of the page below the sign-in
    };
  }, [title]);
}
