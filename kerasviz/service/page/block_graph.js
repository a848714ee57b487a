// Draws a block of a network: its layers as nodes in columns, with branches and residual edges.

import { layerHash } from "./address.js";
import { drawn, element } from "./dom.js";
import { shapeWords, shortName } from "./graph.js";

const WIDE = 166; // pixels from column to column of the large drawing
const BOX = 150; // the width of a node
const HIGH = 58; // pixels from row to row
const TALL = 38; // the height of a node
const MINI = { wide: 15, most: 6, middle: 48, least: 56, row: 9 }; // of the small drawing

/**
 * Where the layers of a block lie: `nodes` of {name, layer, column, row}, of which the first is what
 * the block starts from and the last its main layer, and `edges` of {from, to, via, skip}: numbers
 * of nodes, and the column in which an edge runs down. Layers outside of the block that feed it are
 * nodes without a `layer`, in row 0.
 */
export function graphOf({ layer, inside, branches }, previous) {
  const own = new Map(inside.map((one) => [one.name, one]));
  const rows = new Map();
  const rowOf = (name) => rows.get(name) ?? 0;
  for (const one of [...inside, layer])
    rows.set(one.name, 1 + Math.max(0, ...one.inputs.map(rowOf)));
  const last = rows.get(layer.name);
  const users = new Map();
  for (const one of [...inside, layer])
    for (const name of one.inputs) users.set(name, [...(users.get(name) ?? []), one.name]);

  // Each branch takes the first column that is free from where it starts to where it ends.
  const taken = [];
  const columns = new Map();
  const skips = new Map(); // where an empty branch starts -> its column
  for (const { layers, from } of branches) {
    if (!layers.length && !previous) continue;
    const [first, end] = [layers[0], layers.at(-1)];
    const start = first ? Math.min(...first.inputs.map(rowOf), rowOf(first.name) - 1) : rowOf(from);
    const stop = end ? Math.max(...(users.get(end.name) ?? [layer.name]).map(rowOf)) : last;
    let column = 0;
    while (taken[column]?.some(([a, b]) => a < stop && start < b)) column += 1;
    (taken[column] ??= []).push([start, stop]);
    layers.forEach(({ name }) => columns.set(name, column));
    if (!layers.length) skips.set(from ?? previous, column);
  }

  const wide = Math.max(1, taken.length);
  const middle = (wide - 1) / 2;
  const nodes = [{ name: previous ?? null, column: middle, row: 0, outside: true }];
  const outside = new Set(
    [...inside, layer]
      .flatMap(({ inputs }) => inputs)
      .filter((name) => !own.has(name) && name !== previous),
  );
  [...outside].forEach((name, k) =>
    nodes.push({ name, column: wide + k, row: 0, outside: true, far: true }),
  );
  const inRow = (row) => inside.filter(({ name }) => rowOf(name) === row).length;
  const passed = (row, own) =>
    taken.some((spans, column) => column !== own && spans.some(([a, b]) => a < row && row < b));
  for (const one of inside) {
    const [own, row] = [columns.get(one.name), rowOf(one.name)];
    const isAlone = inRow(row) === 1 && !passed(row, own);
    nodes.push({ name: one.name, layer: one, column: isAlone ? middle : own, row });
  }
  nodes.push({ name: layer.name, layer, column: middle, row: last });
  const number = new Map(nodes.map(({ name }, k) => [name, k]));
  const edges = nodes.flatMap((node, to) => {
    if (!node.layer) return [];
    const sources = node.layer.inputs.length ? node.layer.inputs : [null]; // the input
    return sources.map((name) => edgeOf(nodes, number.get(name) ?? 0, to, skips));
  });
  return { nodes, edges, wide: wide + outside.size, last };
}

function edgeOf(nodes, from, to, skips) {
  const [source, target] = [nodes[from], nodes[to]];
  const isLast = to === nodes.length - 1;
  const adds = /add|sum/i.test(target.layer.op) && target.layer.inputs.length > 1;
  const skip = target.row - source.row > 1 && (adds || (isLast && source.outside));
  const starts = source.outside || source.column !== target.column;
  let via = isLast ? source.column : starts ? target.column : source.column;
  if (isLast && source.outside) via = skips.get(source.name) ?? source.column;
  const crossed = nodes.some(
    ({ column, row, layer }) =>
      layer && column === via && row > source.row && row < target.row,
  );
  if (crossed) via -= 0.45;
  return { from, to, via, skip: skip || (source.far ?? false) };
}

/** The path of an edge: from its source into its column, down, and into its target. */
function pathOf(x, y, edge, nodes) {
  const [a, b] = [nodes[edge.from], nodes[edge.to]];
  const [x0, x1, xv] = [x(a.column), x(b.column), x(edge.via)];
  const [y0, y1] = [y(a, "end"), y(b, "start")];
  const turn = Math.min((y1 - y0) / 2, 22);
  return (
    `M${x0} ${y0}C${x0} ${y0 + turn * 0.7} ${xv} ${y0 + turn * 0.3} ${xv} ${y0 + turn}` +
    `V${y1 - turn}C${xv} ${y1 - turn * 0.3} ${x1} ${y1 - turn * 0.7} ${x1} ${y1}`
  );
}

/** The small drawing beside a main layer: dots for layers, dashed lines for residual edges. */
export function smallGraph(graph) {
  const { nodes, edges, last } = graph;
  const wide = Math.min(graph.wide, MINI.most);
  const high = Math.max(MINI.least, last * MINI.row + 14);
  const step = Math.min(MINI.wide, 84 / Math.max(1, graph.wide - 1));
  const middle = nodes.at(-1).column;
  const x = (column) => MINI.middle + (column - middle) * step;
  const y = ({ row }) => (row / last) * high;
  const lines = edges.map((edge) =>
    drawn("path", { d: pathOf(x, y, edge, nodes), class: edge.skip ? "skip-line" : null }),
  );
  const dots = nodes.slice(0, -1).flatMap((node) => {
    if (!node.layer) return [];
    return [drawn("circle", { cx: x(node.column), cy: y(node), r: wide > 4 || last > 8 ? 1.8 : 2.4 })];
  });
  const end = drawn("circle", { cx: MINI.middle, cy: high, r: 6, class: "node" });
  return element(
    "div",
    { class: "spine", "aria-hidden": "true", style: { "--node": `${high}px` } },
    drawn(
      "svg",
      { viewBox: `0 0 96 ${high + 8}`, width: 96, height: high + 8 },
      ...lines,
      ...dots,
      end,
    ),
  );
}

/** The large drawing: each layer is a link with its name and size. */
export function largeGraph(graph, described, { main, name: mainName }) {
  const { nodes, edges, wide, last } = graph;
  const x = (column) => column * WIDE + WIDE / 2;
  const y = ({ row }, side) => row * HIGH + (side === "end" ? TALL : 0) + 1;
  const size = { width: wide * WIDE, height: last * HIGH + TALL + 4 };
  const box = (node) => {
    const { layer, name, column, row } = node;
    const place = { style: { "--x": `${x(column) - BOX / 2}px`, "--y": `${row * HIGH}px` } };
    if (!layer)
      return element(
        "span",
        { class: "box outside small soft", ...place },
        name ? shortName(name, main.name) : `the ${described.input.noun}`,
      );
    const from = layer.inputs.map((one) => shortName(one, main.name)).join(" and ");
    return element(
      "a",
      {
        class: layer === main ? "box main" : "box",
        href: layerHash(described.name, name),
        title: `${name} (${layer.op})${from ? `, from ${from}` : ""}`,
        ...place,
      },
      element("span", { class: "name" }, layer === main ? mainName : shortName(name, main.name)),
      element("span", { class: "soft" }, sizeOf(layer)),
      from ? element("span", { class: "unseen" }, `, from ${from}`) : null,
    );
  };
  return element(
    "div",
    { class: "graph", role: "group", "aria-label": `Layers of ${main.name}` },
    element(
      "div",
      { class: "canvas", style: { "--wide": `${size.width}px`, "--high": `${size.height}px` } },
      drawn(
        "svg",
        { viewBox: `0 0 ${size.width} ${size.height}`, ...size, "aria-hidden": "true" },
        ...edges.map((edge) =>
          drawn("path", { d: pathOf(x, y, edge, nodes), class: edge.skip ? "skip-line" : null }),
        ),
      ),
      nodes.map(box),
    ),
  );
}

const sizeOf = ({ op, shape, units }) =>
  [op, [shapeWords(shape), units].filter(Boolean).join(" × ")].filter(Boolean).join(" · ");
