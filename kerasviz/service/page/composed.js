// What the composer remembers while the window is open: photos of a network, and its last job.

const keyOf = (network) => `kerasviz composed ${network}`;

/** What is remembered for a network: {spectrum, facets, job}. */
export function remembered(network) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(network))) ?? {};
  } catch {
    return {};
  }
}

/** Remember more for a network. */
export function remember(network, more) {
  try {
    const all = { ...remembered(network), ...more };
    sessionStorage.setItem(keyOf(network), JSON.stringify(all));
  } catch {
    // There is no room, or no storage: a reload forgets.
  }
}
