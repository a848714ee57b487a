// A map that fills itself: two rough pictures of each layer, those on the screen first, then more of
// what is on the screen, then good ones of what is looked at longest. Nothing is made while nobody
// looks.

import { counted, element } from "./dom.js";
import { renderUnits } from "./rendering.js";
import { unitOf } from "./strip.js";

const FEWEST = 4; // units of a layer that get pictures, or as many as its strip has room for
const MOST = 12;
const AT_ONCE = 2; // units of a layer in a job, after a first one, so that all layers soon have some
const TOGETHER = 4; // neighbouring layers whose rough pictures share one compiled loop
const LOOK = 1000; // milliseconds between two looks at what is on the screen

/**
 * Fill the `strips` of a network by itself, with the settings of `filling`, until `signal` aborts;
 * `names` are what their layers are called.
 * Returns the line that says what is being made, and for how long.
 */
export function fill({ network, filling, strips, names, signal }) {
  const words = element("span", { class: "small soft" });
  const pause = element("button", { type: "button" }, "Pause");
  const line = element("div", { class: "filling" }, words, pause);
  const looked = new Map(strips.map((one) => [one, 0])); // for how many looks each was seen
  const refused = new Set(); // layers of which no picture can be made
  const apart = new Set(); // layers of which none can be made in one loop with its neighbours
  let paused = false;
  let pending = null; // the job until it ends
  let making = null; // what it makes, in words
  let began = 0;

  const seen = (one) => {
    const box = one.place.closest("li").getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  };
  const onScreen = () => strips.filter((one) => !refused.has(one) && seen(one));
  const wanted = (one) => one.units(Math.max(FEWEST, Math.min(MOST, one.room())));
  const having = (one) => wanted(one).filter((unit) => one.steps.has(unit)).length;

  /** The layer without pictures that is nearest to the screen, once it is known to have none. */
  async function bareLayer() {
    const shown = onScreen().map((one) => strips.indexOf(one));
    const away = (one) => Math.min(...shown.map((at) => Math.abs(at - strips.indexOf(one))));
    const bare = strips.filter((one) => !refused.has(one) && !having(one));
    for (const one of bare.sort((a, b) => away(a) - away(b))) {
      await one.load();
      if (!having(one)) return one;
    }
    return null;
  }

  /** The next units: rough ones of the layer with fewest, far from those that have some. */
  async function next() {
    const shown = onScreen();
    const rough = shown.filter((one) => having(one) < wanted(one).length);
    if (rough.length) {
      const fewest = Math.min(...rough.map(having));
      const poor = rough.filter((one) => having(one) === fewest);
      const rich = shown.filter((one) => having(one) > fewest).map((one) => strips.indexOf(one));
      const away = (one) => Math.min(...rich.map((at) => Math.abs(at - strips.indexOf(one))), 1e9);
      const bare = fewest ? await bareLayer() : null;
      const one = bare ?? poor.reduce((best, other) => (away(other) > away(best) ? other : best));
      return { kind: "rough", ...(await together(one, shown)) };
    }
    const plain = shown.filter((one) => better(one).length);
    if (!plain.length) return null;
    const one = plain.reduce((best, other) => (looked.get(other) > looked.get(best) ? other : best));
    return { kind: "good", layers: [], units: [[one, better(one).slice(0, AT_ONCE)]] };
  }

  /** A layer and its neighbours, and the next units of those that need rough pictures too. */
  async function together(one, shown) {
    const missing = (other) => wanted(other).filter((unit) => !other.steps.has(unit));
    const some = (other) => [other, missing(other).slice(0, having(other) ? AT_ONCE : 1)];
    if (apart.has(one)) return { layers: [], units: [some(one)] };
    const first = strips.indexOf(one) - (strips.indexOf(one) % TOGETHER);
    const group = strips
      .slice(first, first + TOGETHER)
      .filter((other) => other.layer.units && !refused.has(other) && !apart.has(other));
    await Promise.allSettled(group.map((other) => other.load()));
    const poor = group.filter((other) => !having(other) || shown.includes(other));
    return { layers: group, units: poor.map(some).filter(([, units]) => units.length) };
  }

  const better = (one) =>
    wanted(one).filter((unit) => (one.steps.get(unit) ?? 0) < filling.good.steps);

  function make({ kind, layers, units }) {
    const settings = { ...filling[kind] };
    if (layers.length > 1) settings.loop_layers = layers.map((one) => one.layer.name);
    const byName = new Map(units.map(([one]) => [one.layer.name, one]));
    const [[first], others] = [units[0], units.length - 1];
    making = `Making ${kind} pictures of ${names[strips.indexOf(first)]}`;
    if (others) making += ` and ${counted(others, "other layer")}`;
    began = Date.now();
    const started = renderUnits({
      network,
      targets: units.flatMap(([one, some]) => some.map((unit) => `${one.layer.name}:${unit}`)),
      settings,
      made({ target, url }) {
        const { layer, unit } = unitOf(target);
        byName.get(layer).add(unit, url, settings.steps);
      },
      end(failed) {
        if (failed) units.forEach(([one]) => (layers.length > 1 ? apart : refused).add(one));
        if (pending === started) pending = null;
      },
      signal,
    });
    pending = started;
  }

  function tell() {
    const some = strips.filter((one) => one.steps.size).length;
    const seconds = Math.round((Date.now() - began) / 1000);
    const left = `${some} of ${strips.length} layers have pictures`;
    words.textContent = paused
      ? `Paused; ${left}`
      : pending
        ? `${making} · ${seconds} s · ${left}`
        : some === strips.length
          ? "Everything on the screen has its pictures"
          : `Waiting until other layers are looked at; ${left}`;
  }

  async function look() {
    if (signal.aborted) return;
    if (!document.hidden) {
      const shown = onScreen();
      shown.forEach((one) => looked.set(one, looked.get(one) + 1));
      if (!paused && !pending) {
        await Promise.allSettled(shown.map((one) => one.load()));
        const task = await next();
        if (task && !signal.aborted && !pending && !paused) make(task);
      }
    }
    tell();
  }

  const stop = () => {
    pending?.cancel().catch(() => {});
    pending = null;
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Continue" : "Pause";
    if (paused) stop();
    look();
  });
  document.addEventListener("visibilitychange", () => document.hidden && stop(), { signal });
  const clock = setInterval(look, LOOK);
  signal.addEventListener("abort", () => {
    clearInterval(clock);
    stop();
  });
  requestAnimationFrame(look);
  return line;
}
