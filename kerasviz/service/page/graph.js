// The layers of a network as a flow: main layers one below the other, and the branches that lead
// from one to the next.

/**
 * The blocks of a network: each a main layer, with the `branches` between the main layer before it
 * and itself. A branch is `layers` from top to bottom, empty where it skips; `from` names the layer
 * where it starts if that is not the main layer before.
 */
export function blocksOf(layers) {
  const ends = mainOf(layers);
  const blocks = [];
  let inside = [];
  for (const layer of layers) {
    if (ends.has(layer)) {
      blocks.push({ layer, inside });
      inside = [];
    } else {
      inside.push(layer);
    }
  }
  return blocks.map(({ layer, inside }, i) => ({
    layer,
    count: inside.length,
    branches: branchesOf(layer, inside, blocks[i - 1]?.layer.name),
  }));
}

/**
 * The layers that the flow leads through. The main layers are not asked for where some of them lie in
 * branches (of a file that says nothing of its main layers): then those that all ways lead through,
 * if they are main or join branches. The last layer always ends the flow.
 */
function mainOf(layers) {
  const place = new Map(layers.map(({ name }, i) => [name, i]));
  const reach = new Array(layers.length).fill(-1); // how far the ways from each layer go at once
  layers.forEach(({ inputs }, i) =>
    inputs.forEach((name) => {
      if (place.has(name)) reach[place.get(name)] = Math.max(reach[place.get(name)], i);
    }),
  );
  const trunk = new Set();
  let farthest = -1;
  layers.forEach((layer, i) => {
    if (farthest <= i) trunk.add(layer);
    farthest = Math.max(farthest, reach[i]);
  });
  const main = layers.filter((layer) => layer.main);
  const chosen =
    main.length && main.every((layer) => trunk.has(layer))
      ? main
      : [...trunk].filter((layer) => layer.main || layer.inputs.length > 1 || !main.length);
  return new Set([...chosen, ...layers.slice(-1)]);
}

function branchesOf(layer, inside, previous) {
  const left = new Map(inside.map((one) => [one.name, one]));
  const branches = [];
  const ends = [...layer.inputs];
  while (ends.length || left.size) {
    // Layers that lead nowhere in the block are branches of their own.
    const end = ends.length ? ends.shift() : [...left.keys()].at(-1);
    const chain = [];
    let at = end;
    while (left.has(at)) {
      const one = left.get(at);
      left.delete(at);
      chain.unshift(one);
      const [next, ...others] = one.inputs;
      // Where several lead to a layer inside of a branch, the others are branches too.
      ends.push(...others.filter((other) => left.has(other)));
      at = next;
    }
    if (chain.length || (at !== undefined && at === end)) {
      branches.push({
        layers: chain,
        from: at && at !== previous ? at : null,
      });
    }
  }
  return branches.length ? branches : [{ layers: inside, from: null }];
}

/** A layer's name without what it shares with the main layer of its block. */
export function shortName(name, main) {
  const shared = main.slice(0, main.lastIndexOf("/") + 1);
  if (shared && name.startsWith(shared)) return name.slice(shared.length);
  return name.startsWith(`${main}_`) ? name.slice(main.length + 1) : name;
}

/** How many positions a layer has: "14 × 14"; nothing where it has one. */
export function shapeWords(shape) {
  const sides = (shape ?? []).slice(0, -1);
  return sides.some((side) => side > 1) ? sides.join(" × ") : "";
}
