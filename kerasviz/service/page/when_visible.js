// Delays work until an element is near the window.

/** Call `act` once, as soon as an element is near the visible part of the page. */
export function whenVisible(target, act, signal, margin = "400px") {
  const watching = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watching.disconnect();
      act();
    },
    { rootMargin: margin },
  );
  watching.observe(target);
  signal?.addEventListener("abort", () => watching.disconnect());
}
