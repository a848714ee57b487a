// Creates elements in code, so that no text of the server is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `on` has listeners, `data` a dataset, `style` custom
 * properties; true, false and null are boolean attributes.
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else if (name === "data") {
      Object.assign(node.dataset, value);
    } else if (name === "style") {
      for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    } else if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  return added(node, ...children);
}

/** Add children to an element; lists are added one by one, null and false left out. */
export function added(node, ...children) {
  node.append(
    ...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** Announce a text to screen readers. */
export function announce(words) {
  document.getElementById("status").textContent = words;
}

/** A line for errors, hidden until `say` fills it. */
export function errorLine() {
  const line = element("p", { class: "error", role: "alert", hidden: true });
  return {
    line,
    say(error) {
      line.textContent = error?.message ?? String(error);
      line.hidden = false;
    },
    clear() {
      line.textContent = "";
      line.hidden = true;
    },
  };
}

/** Facts in a row, without empty ones. */
export function joined(...facts) {
  return facts.filter(Boolean).join(" · ");
}

/** A count with its noun: "1 unit", "1,024 units". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** About how long some seconds are: "about 20 s", "about 3 minutes", "about 2 hours". */
export function aboutTime(seconds) {
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s`;
  const minutes = seconds / 60;
  return `about ${minutes < 90 ? counted(Math.round(minutes), "minute") : counted(Math.round(minutes / 60), "hour")}`;
}

/** Whether the pictures of the network are plots, as of sounds and signals, or tables of tokens. */
export const showsPlots = () => document.body.dataset.medium === "plot";
