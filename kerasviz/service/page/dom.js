// Elements made in code: no markup is ever parsed from the server's words.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `on` holds listeners, `data` a dataset, `style` custom
 * properties; what is true, false or null is a boolean attribute.
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    } else if (name === "data") {
      Object.assign(made.dataset, value);
    } else if (name === "style") {
      for (const [property, set] of Object.entries(value)) made.style.setProperty(property, set);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  return added(made, ...children);
}

/** Add children to an element; lists are added one by one, null and false left out. */
export function added(made, ...children) {
  made.append(
    ...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return made;
}

/** Say something to those who do not see the page change. */
export function announce(words) {
  document.getElementById("status").textContent = words;
}

/** A line that says what went wrong, empty and unseen until `say` fills it. */
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

/** Facts in a row, the empty ones left out. */
export function joined(...facts) {
  return facts.filter(Boolean).join(" · ");
}

/** A count with its noun: "1 unit", "1,024 units". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
