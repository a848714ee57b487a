// What is done only once something is near the window.

/** Call `act` once, as soon as an element is near what is to be seen. */
export function near(target, act, signal, margin = "400px") {
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
