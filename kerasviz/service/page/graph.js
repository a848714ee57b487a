// Arranges the layers of a network: main layers in order, and the branches between them.

/**
 * The blocks of a network: each a main layer with the layers `inside` it, after the previous main
 * layer, and their `branches` from there. A branch has `layers` from top to bottom, none for a skip connection; `from` names the layer where
 * it starts if that is not the previous main layer.
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
    inside,
    branches: branchesOf(layer, inside, blocks[i - 1]?.layer.name),
  }));
}

/**
 * The layers that divide the network into blocks: the main layers, or without any the layers that
 * all paths lead through. The last layer ends the last block.
 */
function mainOf(layers) {
  const main = layers.filter((layer) => layer.main);
  if (main.length) return new Set([...main, ...layers.slice(-1)]);
  const place = new Map(layers.map(({ name }, i) => [name, i]));
  const reach = new Array(layers.length).fill(-1); // the farthest layer fed by each one
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
  return new Set([...trunk, ...layers.slice(-1)]);
}

function branchesOf(layer, inside, previous) {
  const left = new Map(inside.map((one) => [one.name, one]));
  const branches = [];
  const ends = [...layer.inputs];
  while (ends.length || left.size) {
    // Layers that feed nothing in the block are separate branches.
    const end = ends.length ? ends.shift() : [...left.keys()].at(-1);
    const chain = [];
    let at = end;
    while (left.has(at)) {
      const one = left.get(at);
      left.delete(at);
      chain.unshift(one);
      const [next, ...others] = one.inputs;
      // Further inputs of a layer inside a branch are branches too.
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

/** What blocks have in common that are alike: operators, branches and size, names up to numbers. */
const kindOf = ({ layer, inside, branches }) =>
  JSON.stringify([
    layer.name.replace(/\d+[a-z]?(?![a-z\d])/g, "#"),
    layer.op,
    layer.shape,
    inside.map(({ op }) => op),
    branches.map(({ layers }) => layers.length),
  ]);

/** Blocks in order, in runs of those that are alike. */
export function runsOf(blocks) {
  const runs = [];
  let kind = null;
  for (const block of blocks) {
    const own = kindOf(block);
    if (own === kind) runs.at(-1).push(block);
    else runs.push([block]);
    kind = own;
  }
  return runs;
}

/**
 * Short ends of names that tell them apart and do not start with a number: of
 * "model.encoder.layer.0", as in PyTorch, it is "layer.0", of "model/encoder/add", as in TensorFlow,
 * "add". Names that differ in numbers alone keep as many parts.
 */
export function shortNames(names) {
  const parted = names.some((name) => name.includes("/")) ? "/" : ".";
  const end = (name, count) => name.split(parted).slice(-count).join(parted);
  const pattern = (name) => name.replace(/\d+/g, "#");
  const uses = new Map();
  for (const name of names)
    for (let count = 1; count <= name.split(parted).length; count += 1)
      uses.set(end(name, count), (uses.get(end(name, count)) ?? 0) + 1);
  const parts = new Map(); // by pattern
  for (const name of names) {
    let count = 1;
    const isGood = () => uses.get(end(name, count)) === 1 && !/^\d/.test(end(name, count));
    while (count < name.split(parted).length && !isGood()) count += 1;
    parts.set(pattern(name), Math.max(count, parts.get(pattern(name)) ?? 0));
  }
  return names.map((name) => end(name, parts.get(pattern(name))));
}

/** A layer's name without that of its main layer, or without the part that both begin with. */
export function shortName(name, main) {
  if (["/", ".", "_"].some((sign) => name.startsWith(main + sign))) {
    return name.slice(main.length + 1);
  }
  const shared = main.slice(0, main.lastIndexOf("/") + 1);
  return shared && name.startsWith(shared) ? name.slice(shared.length) : name;
}

/** The positions of a layer, as "14 × 14"; empty for a single one. */
export function shapeWords(shape) {
  const sides = (shape ?? []).slice(0, -1);
  return sides.some((side) => side > 1) ? sides.join(" × ") : "";
}
