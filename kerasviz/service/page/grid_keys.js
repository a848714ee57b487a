// Moves the focus over a grid by arrow keys.

/** Let arrow keys move between the tiles of a grid; the tab key stops at one of them. */
export function walkable(grid) {
  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  grid.addEventListener("keydown", (event) => {
    const at = event.target.closest(".tile");
    if (!at || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns(),
      ArrowUp: -columns(),
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const all = [...grid.children];
    const wanted = Math.min(Math.max(all.indexOf(at) + steps[event.key], 0), all.length - 1);
    all[wanted].focus();
    all[wanted].scrollIntoView({ block: "nearest" });
  });
  grid.addEventListener("focusin", (event) => {
    grid.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    event.target.closest(".tile")?.setAttribute("tabindex", "0");
  });
}
