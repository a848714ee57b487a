"use strict";
// The map: icons of the grid that fits the zoom, drawn on a canvas. The map is the unit square; a
// view says where its corner lies and how many pixels it is wide.
const canvas = document.getElementById("map");
const context = canvas.getContext("2d");
const panel = document.getElementById("cell");
const grids = ATLAS.grids.filter((grid) => grid.counts.length);
const view = { left: 0, top: 0, side: 1 };
const WANTED = 44; // pixels of a cell from which the finer grid is shown, by zoom
const LABELLED = 96; // pixels of a cell from which its class is written below it
const LEVELS = [12, 32]; // pixels of a cell in pictures of a whole grid, for those that are smaller
const FARTHEST = 60; // how many times larger than the window the map may be
let ratio = 1, width = 0, height = 0, asked = 0, chosen = null, kept = false, drawn = null;

for (const grid of grids) {
  const most = Math.log(1 + Math.max(...grid.counts));
  grid.part = grid.counts.map((count) => Math.sqrt(Math.log(1 + count) / most));
  grid.at = new Map(grid.counts.map((_, k) => [grid.rows[k] * grid.grid + grid.columns[k], k]));
}
if (grids.length === 1) asked = grids[0].grid;

function shown() {
  const fixed = grids.find((grid) => grid.grid === asked);
  if (fixed) return fixed;
  const fitting = grids.filter((grid) => view.side / grid.grid >= WANTED);
  return fitting.length ? fitting[fitting.length - 1] : grids[0];
}

// -- pictures ------------------------------------------------------------------------------------

function load(grid) {
  if (grid.images) return;
  grid.images = grid.icons.map((file, number) => {
    const image = new Image();
    image.onload = () => { image.ready = true; if (grid.whole) addSheet(grid, number); redraw(); };
    image.src = file;
    return image;
  });
  grid.whole = LEVELS.map((level) => {
    const side = Math.min(level, Math.floor(4096 / grid.grid));
    const whole = document.createElement("canvas");
    whole.width = whole.height = side * grid.grid;
    return { side, whole, context: whole.getContext("2d") };
  });
}

function source(grid, k) {
  const per = ATLAS.side ** 2, place = k % per, [high, wide] = grid.size;
  return { image: grid.images[Math.floor(k / per)], x: (place % ATLAS.side) * wide, y: Math.floor(place / ATLAS.side) * high, wide, high };
}

function paint(target, grid, k, left, top, side) {
  const { image, x, y, wide, high } = source(grid, k);
  if (!image.ready) return;
  const part = side * grid.part[k], scale = part / Math.max(wide, high);
  const w = wide * scale, h = high * scale;
  // half a pixel inside, or the neighbours on the sheet shine through at the border
  target.drawImage(image, x + 0.5, y + 0.5, wide - 1, high - 1, left + (side - w) / 2, top + (side - h) / 2, w, h);
}

function addSheet(grid, number) {
  const per = ATLAS.side ** 2;
  for (const level of grid.whole) {
    level.context.imageSmoothingQuality = "high";
    for (let k = number * per; k < Math.min((number + 1) * per, grid.counts.length); k += 1)
      paint(level.context, grid, k, grid.columns[k] * level.side, grid.rows[k] * level.side, level.side);
  }
}

// -- drawing -------------------------------------------------------------------------------------

let waiting = 0;
function redraw() {
  if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; draw(); });
}

function draw() {
  const grid = shown();
  if (grid !== drawn) { load(grid); drawn = grid; if (!kept) choose(null); }
  const cell = view.side / grid.grid, labels = cell >= LABELLED && grid.classes ? 18 : 0;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "medium";
  const last = grid.whole[grid.whole.length - 1];
  if (cell * ratio <= last.side) {
    const level = grid.whole.find((each) => each.side >= cell * ratio) || last;
    context.drawImage(level.whole, view.left, view.top, view.side, view.side);
  } else {
    const from = (offset) => Math.max(0, Math.floor(-offset / cell));
    const to = (offset, length) => Math.min(grid.grid - 1, Math.floor((length - offset) / cell));
    for (let row = from(view.top); row <= to(view.top, height); row += 1)
      for (let column = from(view.left); column <= to(view.left, width); column += 1) {
        const k = grid.at.get(row * grid.grid + column);
        if (k === undefined) continue;
        const left = view.left + column * cell, top = view.top + row * cell;
        paint(context, grid, k, left + labels / 2, top, cell - labels);
        if (labels) label(grid, k, left, top + cell, cell);
      }
  }
  if (grid.mask) {
    context.imageSmoothingEnabled = false;
    context.drawImage(grid.mask, view.left, view.top, view.side, view.side);
    context.imageSmoothingEnabled = true;
  }
  if (chosen && chosen.grid === grid) {
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue("--focus");
    context.lineWidth = kept ? 3 : 2;
    context.strokeRect(view.left + grid.columns[chosen.k] * cell, view.top + grid.rows[chosen.k] * cell, cell, cell);
  }
}

function label(grid, k, left, bottom, cell) {
  const best = grid.classes[k][0];
  if (!best) return;
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillStyle = getComputedStyle(canvas).color;
  let name = ATLAS.names[best[0]];
  while (name.length > 4 && context.measureText(name).width > cell - 6) name = `${name.slice(0, -2)}…`;
  context.fillText(name, left + cell / 2, bottom - 5);
}

function resize() {
  const before = width && { side: view.side / Math.min(width, height), x: (width / 2 - view.left) / view.side, y: (height / 2 - view.top) / view.side };
  ratio = devicePixelRatio || 1;
  width = canvas.clientWidth;
  height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  if (!before) return fit();
  view.side = before.side * Math.min(width, height);
  view.left = width / 2 - before.x * view.side;
  view.top = height / 2 - before.y * view.side;
  draw();
}

function fit() {
  view.side = Math.min(width, height) - 16;
  view.left = (width - view.side) / 2;
  view.top = (height - view.side) / 2;
  redraw();
}

function zoom(factor, x = width / 2, y = height / 2) {
  const least = (Math.min(width, height) - 16) / 2;
  const side = Math.min(Math.max(view.side * factor, least), least * 2 * FARTHEST);
  view.left = x - (x - view.left) * side / view.side;
  view.top = y - (y - view.top) * side / view.side;
  view.side = side;
  hold();
}

function move(dx, dy) {
  view.left += dx;
  view.top += dy;
  hold();
}

function hold() { // some of the map stays in the window
  const room = Math.min(width, height) / 3;
  view.left = Math.min(Math.max(view.left, room - view.side), width - room);
  view.top = Math.min(Math.max(view.top, room - view.side), height - room);
  redraw();
}

// -- the cell beside the map ---------------------------------------------------------------------

function element(name, text = "", ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function listed(title, rows) {
  if (!rows.length) return [];
  const most = Math.max(...rows.map(([, value]) => Math.abs(value))) || 1;
  const list = element("ol", "", ...rows.map(([name, value]) => {
    const item = element("li", "", element("span", name), element("b", String(value)));
    item.style.setProperty("--share", `${100 * Math.max(0, value) / most}%`);
    return item;
  }));
  return [element("h3", title), list];
}

const hint = [...panel.childNodes];
function choose(cell, keep = false) {
  kept = Boolean(cell) && keep;
  const same = cell && chosen && cell.grid === chosen.grid && cell.k === chosen.k;
  chosen = cell;
  redraw();
  if (same) return;
  if (!cell) { panel.replaceChildren(...hint); delete panel.dataset.cell; return; }
  const { grid, k } = cell, count = grid.counts[k];
  panel.dataset.cell = `${grid.grid}:${grid.rows[k]},${grid.columns[k]}`;
  const large = element("canvas"), { image, x, y, wide, high } = source(grid, k);
  large.width = 384;
  large.height = Math.round(384 * high / wide);
  const show = () => {
    const target = large.getContext("2d");
    target.imageSmoothingQuality = "high";
    target.drawImage(image, x + 0.5, y + 0.5, wide - 1, high - 1, 0, 0, large.width, large.height);
  };
  if (image.ready) show(); else image.addEventListener("load", show, { once: true });
  const parts = [large, element("h2", `${count.toLocaleString("en")} activation${count === 1 ? "" : "s"}`),
    element("p", `row ${grid.rows[k]}, column ${grid.columns[k]} of ${grid.grid} x ${grid.grid}`)];
  parts[2].className = "small soft";
  const crops = grid.crops[k] || [];
  if (crops.length) {
    const row = element("div", "", ...crops.map((number) => {
      const per = ATLAS.side ** 2, place = number % per, tile = element("i");
      tile.style.backgroundImage = `url("${grid.sheets[Math.floor(number / per)]}")`;
      tile.style.backgroundPosition = `-${(place % ATLAS.side) * ATLAS.crop}px -${Math.floor(place / ATLAS.side) * ATLAS.crop}px`;
      return tile;
    }));
    row.className = "crops";
    row.setAttribute("role", "img");
    row.setAttribute("aria-label", `${crops.length} parts of photos with such activations`);
    parts.push(element("h3", "In photos"), row);
  }
  const named = ([number, value]) => [ATLAS.names[number], value];
  if (grid.about && ATLAS.about.length)
    parts.push(...listed("Contribution", ATLAS.about.map((number, n) => named([number, grid.about[k][n]]))));
  if (grid.classes) parts.push(...listed("Speaks most for", grid.classes[k].map(named)));
  parts.push(...listed("Largest units", grid.units[k].map(([unit, value]) => [`${ATLAS.tap}:${unit}`, value])));
  panel.replaceChildren(...parts);
}

function cellAt(x, y) {
  const grid = shown(), place = (offset) => Math.floor(offset / view.side * grid.grid);
  const row = place(y - view.top), column = place(x - view.left);
  if (row < 0 || column < 0 || row >= grid.grid || column >= grid.grid) return null;
  const k = grid.at.get(row * grid.grid + column);
  return k === undefined ? null : { grid, k };
}

function walk(dx, dy) {
  const grid = shown();
  let row = chosen && chosen.grid === grid ? grid.rows[chosen.k] : null, column = null, best = null;
  if (row === null) { // the cell nearest to the middle of the window
    row = (height / 2 - view.top) / view.side * grid.grid - 0.5;
    column = (width / 2 - view.left) / view.side * grid.grid - 0.5;
    dx = dy = 0;
  } else column = grid.columns[chosen.k];
  for (let k = 0; k < grid.counts.length; k += 1) {
    const right = grid.columns[k] - column, down = grid.rows[k] - row;
    const along = right * dx + down * dy, aside = Math.abs(right * dy) + Math.abs(down * dx);
    if ((dx || dy) && along <= 0) continue;
    const far = dx || dy ? along + 2 * aside : Math.hypot(right, down);
    if (!best || far < best.far) best = { far, k };
  }
  if (!best) return;
  choose({ grid, k: best.k }, true);
  const cell = view.side / grid.grid;
  const left = view.left + grid.columns[best.k] * cell, top = view.top + grid.rows[best.k] * cell;
  const into = (low, length) => (low < 0 ? -low + 8 : low + cell > length ? length - low - cell - 8 : 0);
  move(into(left, width), into(top, height));
}

// -- hands ---------------------------------------------------------------------------------------

const fingers = new Map();
let travelled = 0;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
  if (fingers.size === 1) travelled = 0;
});
canvas.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), now = [event.offsetX, event.offsetY];
  if (!before) { if (!kept) choose(cellAt(...now)); return; }
  const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
  if (other) {
    const apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    travelled = Infinity;
  } else {
    move(now[0] - before[0], now[1] - before[1]);
    travelled += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    canvas.classList.toggle("moving", travelled > 4);
  }
  fingers.set(event.pointerId, now);
});
for (const name of ["pointerup", "pointercancel"])
  canvas.addEventListener(name, (event) => {
    if (name === "pointerup" && fingers.size === 1 && travelled <= 4) choose(cellAt(event.offsetX, event.offsetY), true);
    fingers.delete(event.pointerId);
    canvas.classList.remove("moving");
  });
canvas.addEventListener("pointerleave", () => { if (!kept && !fingers.size) choose(null); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 33 : 1;
  zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 320), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const others = { "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, Escape: () => choose(null) };
  if (ways[event.key]) walk(...ways[event.key]);
  else if (others[event.key]) others[event.key]();
  else return;
  event.preventDefault();
});
document.getElementById("in").addEventListener("click", () => zoom(1.5));
document.getElementById("out").addEventListener("click", () => zoom(1 / 1.5));
document.getElementById("fit").addEventListener("click", fit);
for (const input of document.querySelectorAll("[name=grid]"))
  input.addEventListener("change", () => { asked = Number(input.value); choose(null); });

// -- classes -------------------------------------------------------------------------------------

function maskOf(grid, number) {
  if (number === null || !grid.classes) return null;
  const mask = document.createElement("canvas");
  mask.width = mask.height = grid.grid;
  const target = mask.getContext("2d");
  target.fillStyle = getComputedStyle(canvas).backgroundColor;
  target.globalAlpha = 0.88;
  grid.classes.forEach((best, k) => {
    if (!best.some(([known]) => known === number)) target.fillRect(grid.columns[k], grid.rows[k], 1, 1);
  });
  return mask;
}

const wanted = document.getElementById("class");
if (wanted) {
  const named = Object.entries(ATLAS.names).sort((a, b) => a[1].localeCompare(b[1]));
  document.getElementById("classes").append(...named.map(([, name]) => new Option(name)));
  wanted.addEventListener("input", () => {
    const found = named.find(([, name]) => name.toLowerCase() === wanted.value.trim().toLowerCase());
    for (const grid of grids) grid.mask = maskOf(grid, found ? Number(found[0]) : null);
    redraw();
  });
}

new ResizeObserver(resize).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { wanted?.dispatchEvent(new Event("input")); redraw(); });
