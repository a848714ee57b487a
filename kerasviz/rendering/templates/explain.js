// What the page of a photo shows is drawn from the numbers in it: colours over the photo, what is at
// a position, and units that one walks along. Nothing is loaded but pictures beside the page.
const data = JSON.parse(document.getElementById("data").textContent);
const photo = document.querySelector(".photo img");
document.body.classList.toggle("plain", !Object.keys(data.pictures).length);
const RAISING = [255, 140, 0], LOWERING = [20, 110, 255];

const ready = photo.decode ? photo.decode().catch(() => {}) : Promise.resolve();
const element = (name, text = "", kind = "") => Object.assign(document.createElement(name), { textContent: text, className: kind });
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(3).replace(/\.?0+$/, "")}`;
const picture = (unit) => {
  const file = data.pictures[unit];
  if (!file) return element("span", "", "blank");
  const image = new Image();
  image.src = file.split("/").map(encodeURIComponent).join("/");
  image.alt = `What ${unit} looks for`;
  image.loading = "lazy";
  return image;
};

// Draw cells [h, w], a colour and an opacity for each, smoothly over the photo.
function paint(canvas, [height, width], cell, { dim = 0.55, smooth = true } = {}) {
  const context = canvas.getContext("2d");
  canvas.width = photo.naturalWidth * 2;
  canvas.height = photo.naturalHeight * 2;
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  if (dim < 1) {
    for (const [way, colour] of [["saturation", "#808080"], ["source-over", `rgb(0 0 0 / ${1 - dim})`]]) {
      context.globalCompositeOperation = way;
      context.fillStyle = colour;
      context.fillRect(0, 0, canvas.width, canvas.height);
    }
  }
  const small = new OffscreenCanvas(width, height), pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const [colour, opacity] = cell(i);
    pixels.data.set([...colour, Math.round(255 * Math.min(1, Math.max(0, opacity)))], 4 * i);
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
const frame = (canvas, [height, width], i) => {
  const context = canvas.getContext("2d"), x = canvas.width / width, y = canvas.height / height;
  for (const [colour, line] of [["#000", 5], ["#fff", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect((i % width) * x, Math.floor(i / width) * y, x, y);
  }
};
const percentile = (values, share) => {
  const sizes = values.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.min(sizes.length - 1, Math.floor(share * (sizes.length - 1)))] || 1;
};
const byValue = (values, most, opacity) => (i) => [values[i] < 0 ? LOWERING : RAISING, (opacity * Math.abs(values[i])) / most];

// Choose a cell of a canvas by pointer or arrow keys.
function cells(canvas, shape, chosen) {
  let here = 0;
  const choose = (i) => { here = i; chosen(i); };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), [height, width] = shape();
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * height);
    const i = Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x));
    if (i !== here) choose(i);
  });
  canvas.addEventListener("keydown", (event) => {
    const [height, width] = shape();
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const y = Math.min(height - 1, Math.max(0, Math.floor(here / width) + step[0]));
    const x = Math.min(width - 1, Math.max(0, (here % width) + step[1]));
    choose(y * width + x);
  });
  return choose;
}

// Every layer: contributions over the photo, by two sliders, and the number under the pointer.
function layers() {
  const opacity = document.querySelector("[name=opacity]"), most = document.querySelector("[name=most]");
  const draw = () => {
    opacity.nextElementSibling.textContent = `${opacity.value} %`;
    most.nextElementSibling.textContent = `${most.value} %`;
    for (const canvas of document.querySelectorAll("canvas[data-tap]")) {
      const { shape, values } = data.layers[canvas.dataset.tap];
      const strongest = percentile(values, most.value / 100);
      paint(canvas, shape, byValue(values, strongest, opacity.value / 100));
    }
  };
  for (const canvas of document.querySelectorAll("canvas[data-tap]")) {
    const { shape, values } = data.layers[canvas.dataset.tap];
    const output = canvas.parentElement.querySelector("output");
    cells(canvas, () => shape, (i) => {
      output.textContent = `${Math.floor(i / shape[1])},${i % shape[1]}: ${signed(values[i])}`;
    });
    canvas.hidden = false;
    canvas.previousElementSibling.hidden = true;
  }
  for (const slider of [opacity, most]) slider.addEventListener("input", draw);
  draw();
}

// One layer in detail: what its positions contribute, their groups, classes, units.
function detail() {
  const found = data.detail, section = document.querySelector(".detail");
  if (!found || !section) return;
  const canvas = section.querySelector("canvas"), opacity = section.querySelector("[name=shade]");
  const list = section.querySelector(".here"), places = data.layers[found.tap].values;
  const classes = section.querySelector(".says");
  let here = 0, group = -1;
  const shade = () => opacity.value / 100;
  const ways = {
    score: () => byValue(places, percentile(places, 0.99), shade()),
    groups: () => group < 0
      ? (i) => [found.groups.colours[i], shade() * found.groups.strengths[i]]
      : (i) => [colourOf(group), shade() * found.groups.places[group][i]],
    classes: () => (i) => [found.classes.colours[i], shade() * found.classes.strengths[i]],
    photo: () => () => [[0, 0, 0], 0],
  };
  const colourOf = (k) => {
    const words = getComputedStyle(section.querySelectorAll(".groups button")[k]).getPropertyValue("--own").trim();
    return [1, 3, 5].map((n) => parseInt(words.slice(n, n + 2), 16));
  };
  const draw = () => {
    const way = section.querySelector("[name=colours]:checked").value;
    opacity.nextElementSibling.textContent = `${opacity.value} %`;
    paint(canvas, found.shape, ways[way](), { dim: way === "photo" ? 1 : 0.55 });
    frame(canvas, found.shape, here);
  };
  const tell = (i) => {
    here = i;
    const [y, x] = [Math.floor(i / found.shape[1]), i % found.shape[1]];
    section.querySelector(".where").textContent = `${y},${x} contributes ${signed(places[i])}; its activations are ${Math.round(100 * found.sides[i])} % as strong as the strongest`;
    const most = Math.max(...found.values.flat(2), 1e-9);
    list.replaceChildren(...found.units[y][x].map((unit, k) => {
      const item = element("li"), value = found.values[y][x][k];
      const bar = element("i", "", "bar");
      bar.style.width = `${Math.max(0, (100 * value) / most)}%`;
      item.append(picture(`${found.tap}:${unit}`), element("b", String(unit)), bar, element("span", value.toPrecision(3), "soft"));
      return item;
    }));
    if (found.classes) classes.replaceChildren(...found.classes.best[i].map((k, n) => {
      const item = element("li"), value = found.classes.values[i][n];
      item.append(element("span", found.classes.names[k]), element("b", signed(value), value < 0 ? "lowering" : "raising"));
      return item;
    }));
    draw();
  };
  cells(canvas, () => found.shape, tell);
  for (const input of section.querySelectorAll("input")) input.addEventListener("input", draw);
  section.querySelectorAll(".groups button").forEach((button, k) => {
    const show = (on) => () => {
      group = on ? k : -1;
      section.querySelector("[value=groups]").checked = true;
      draw();
    };
    button.addEventListener("pointerenter", show(true));
    button.addEventListener("pointerleave", show(false));
    button.addEventListener("focus", show(true));
    button.addEventListener("blur", show(false));
  });
  tell(found.sides.indexOf(Math.max(...found.sides)));
}

// Two layers: what the positions of the earlier one contribute to one of the later one.
function pairs() {
  const section = document.querySelector(".pairs");
  if (!section) return;
  const [after, before] = section.querySelectorAll("canvas"), choice = section.querySelector("select");
  const decoded = data.pairs.map(({ shape, codes, scale }) => {
    const bytes = Uint8Array.from(atob(codes), (c) => c.charCodeAt(0));
    return { shape, scale, values: new Int8Array(bytes.buffer) };
  });
  let here = 0;
  const draw = () => {
    const { shape, values, scale } = decoded[choice.selectedIndex], [h, w, h1, w1] = shape;
    here = Math.min(here, h * w - 1);
    const own = values.subarray(here * h1 * w1, (here + 1) * h1 * w1);
    let sum = 0;
    const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    for (const value of own) sum += value;
    paint(after, [h, w], () => [[0, 0, 0], 0], { dim: 1 });
    frame(after, [h, w], here);
    paint(before, [h1, w1], (i) => [own[i] < 0 ? LOWERING : RAISING, (1.6 * Math.abs(own[i])) / most]);
    section.querySelector("output").textContent = `${Math.floor(here / w)},${here % w}: all together ${signed((sum * scale) / 127)}`;
  };
  const choose = cells(after, () => decoded[choice.selectedIndex].shape.slice(0, 2), (i) => { here = i; draw(); });
  const middle = () => {
    const [h, w] = decoded[choice.selectedIndex].shape;
    choose(Math.floor(h / 2) * w + Math.floor(w / 2));
  };
  choice.addEventListener("input", middle);
  middle();
}

// Units of a chain of layers: from one to those that it is built from, and that it feeds.
function walk() {
  const section = document.querySelector(".walk");
  if (!section) return;
  const { layers, links } = data.chain;
  const known = new Set(layers.flatMap(([tap, units]) => units.map((unit) => `${tap}:${unit}`)));
  const column = (title, found) => {
    const box = element("div");
    box.append(element("h3", title));
    const list = element("ul", "", "units");
    for (const [unit, share] of found) {
      const item = element("li"), button = element("button");
      button.type = "button";
      button.append(picture(unit), element("span", unit, "name"));
      button.disabled = !known.has(unit);
      button.addEventListener("click", () => { show(unit); section.querySelector(".now").focus(); });
      item.append(button);
      if (share !== undefined) item.append(element("b", signed(share), share < 0 ? "lowering" : "raising"));
      list.append(item);
    }
    if (!found.length) box.append(element("p", "none that is shown", "small soft"));
    box.append(list);
    return box;
  };
  const show = (unit) => {
    const below = links.filter(([later]) => later === unit).map(([, earlier, share]) => [earlier, share]);
    const above = links.filter(([, earlier]) => earlier === unit).map(([later, , share]) => [later, share]);
    const sorted = (found) => found.sort((a, b) => b[1] - a[1]);
    const self = element("div");
    const now = element("p", unit, "now");
    now.tabIndex = -1;
    self.append(element("h3", "The unit"), picture(unit), now);
    section.querySelector(".stage").replaceChildren(column("built from", sorted(below)), self, column("feeds", sorted(above)));
    for (const button of section.querySelectorAll(".choice button")) button.toggleAttribute("aria-current", button.dataset.unit === unit);
  };
  const choice = section.querySelector(".choice");
  for (const [tap, units] of layers) {
    const row = element("p", `${tap} `, "small");
    for (const unit of units) {
      const button = element("button", String(unit));
      button.type = "button";
      button.dataset.unit = `${tap}:${unit}`;
      button.addEventListener("click", () => show(button.dataset.unit));
      row.append(button);
    }
    choice.append(row);
  }
  show(`${layers[0][0]}:${layers[0][1][0]}`);
}

// The most active unit of every cell of every layer, as its picture over the photo.
function winners() {
  const section = document.querySelector(".winners");
  if (!section) return;
  const choice = section.querySelector("select"), canvas = section.querySelector("canvas");
  const opacity = section.querySelector("[name=tiles]"), key = section.querySelector(".key");
  const loaded = new Map();
  const image = (unit) => {
    if (!loaded.has(unit) && data.pictures[unit]) {
      const file = picture(unit);
      file.loading = "eager";
      loaded.set(unit, file);
      file.addEventListener("load", draw);
    }
    return loaded.get(unit);
  };
  const hue = (unit) => `hsl(${(unit * 137.5) % 360} 70% 50%)`;
  let here = 0;
  const draw = () => {
    const tap = choice.value, { cells: found, shown } = data.winners[tap];
    const shape = [found.length, found[0].length], context = canvas.getContext("2d");
    paint(canvas, shape, () => [[0, 0, 0], 0], { dim: 0.8 });
    const [w, h] = [canvas.width / shape[1], canvas.height / shape[0]];
    context.globalAlpha = opacity.value / 100;
    opacity.nextElementSibling.textContent = `${opacity.value} %`;
    found.forEach((row, y) => row.forEach((unit, x) => {
      if (!shown.includes(unit)) return;
      const tile = image(`${tap}:${unit}`);
      context.fillStyle = hue(unit);
      if (!tile) context.fillRect(x * w, y * h, w, h);
      else if (tile.complete && tile.naturalWidth) context.drawImage(tile, x * w, y * h, w, h);
    }));
    context.globalAlpha = 1;
    frame(canvas, shape, here = Math.min(here, shape[0] * shape[1] - 1));
    const unit = found.flat()[here];
    section.querySelector("p output").textContent = unit < 0 ? "no unit is active" : `${tap}:${unit} is most active`;
    key.replaceChildren(...shown.map((unit) => {
      const item = element("li"), own = picture(`${tap}:${unit}`);
      if (own.className === "blank") own.style.background = hue(unit);
      item.append(own, element("span", `${unit}`));
      return item;
    }));
  };
  cells(canvas, () => { const { cells: found } = data.winners[choice.value]; return [found.length, found[0].length]; }, (i) => { here = i; draw(); });
  for (const input of [choice, opacity]) input.addEventListener("input", draw);
  draw();
}

ready.then(() => { for (const part of [layers, detail, pairs, walk, winners]) part(); document.documentElement.dataset.ready = ""; });
