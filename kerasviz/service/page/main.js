// Shows the view that the address names.

import * as api from "./api.js";
import { composeHash, hashOf, placeOf } from "./address.js";
import { announce, element, errorLine } from "./dom.js";
import { watchService } from "./connection.js";
import * as networks from "./networks.js";
import * as networkView from "./network_view.js";
import * as layerView from "./layer_view.js";
import * as inputChoice from "./input_choice.js";
import * as unit from "./unit.js";
import * as compare from "./compare.js";
import * as composer from "./composer.js";
import * as jobs from "./jobs.js";
import { searchBox } from "./search.js";
import { noteUnit } from "./wall_order.js";

const VIEWS = new Map(
  Object.entries({
    networks: networks.show,
    network: networkView.show,
    layer: layerView.show,
    unit: unit.show,
    compose: composer.show,
    compare: compare.show,
    jobs: jobs.showAll,
    job: jobs.showOne,
  }),
);
const main = document.getElementById("main");
const picker = document.getElementById("network");
const views = document.getElementById("views");
const search = searchBox(document.getElementById("search"));
const UNDESCRIBED = 409; // the status of a network whose input nobody has described
let leaving = new AbortController();
let picked = null; // the network last shown; jobs and the list have none

async function go() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const place = placeOf(location.hash);
  const show = VIEWS.get(place.view);
  if (place.network) picked = place.network;
  if (place.view === "unit") noteUnit(place);
  frame(place);
  if (!main.querySelector(".view"))
    main.replaceChildren(element("p", { class: "soft" }, "Loading …"));
  main.setAttribute("aria-busy", "true");
  // The old view stays until the next one is ready.
  let view = element("div", { class: "view" });
  try {
    if (!show) throw new Error(`There is no view ${place.view}.`);
    const described = place.network ? await describedOrChosen(view, place.network, signal) : null;
    document.body.dataset.medium = (described?.input?.medium ?? "image") === "image" ? "image" : "plot";
    if (!signal.aborted && view.childElementCount === 0) await show(view, place, described, signal);
  } catch (error) {
    const { line, say } = errorLine();
    view = element(
      "div",
      { class: "view" },
      element("h1", { tabindex: "-1" }, "This cannot be shown"),
      line,
    );
    say(error);
  }
  if (signal.aborted) return;
  main.replaceChildren(view);
  main.removeAttribute("aria-busy");
  arrive();
}

/** The description of a network; one whose input is unknown shows the choice of a preset instead. */
async function describedOrChosen(view, network, signal) {
  try {
    return await networks.describe(network);
  } catch (error) {
    if (error.status !== UNDESCRIBED) throw error;
    await inputChoice.show(view, network, go, signal);
    return null;
  }
}

/** Announce the view to screen readers, and move the focus to its title. */
function arrive() {
  const title = main.querySelector("h1");
  const text = title?.textContent ?? "";
  document.title = text && text !== "kerasviz" ? `${text} - kerasviz` : "kerasviz";
  announce(text);
  const free = [document.body, main].includes(document.activeElement);
  if (title && free && hasMoved) title.focus({ preventScroll: true });
}

let hasMoved = false;

function frame(place) {
  const link = (text, hash, current) =>
    element("a", { href: hash, "aria-current": current ? "page" : null }, text);
  views.replaceChildren(
    ...(picked
      ? [
          link(
            "Layers",
            hashOf({ view: "network", network: picked }),
            ["network", "layer", "unit"].includes(place.view),
          ),
          link("Compose", composeHash(picked), place.view === "compose"),
        ]
      : []),
    link("Jobs", "#/jobs", place.view.startsWith("job")),
  );
  search.use(picked);
  picker.value = place.network ?? (place.view === "networks" ? "" : picked) ?? "";
}

async function fillPicker() {
  try {
    const served = await api.networks();
    picker.replaceChildren(
      element("option", { value: "" }, "Choose a network"),
      ...served.map(({ name }) => element("option", { value: name }, name)),
    );
    if (served.length === 1) picked ??= served[0].name;
    frame(placeOf(location.hash));
  } catch {
    picker.disabled = true; // the view shows the error
  }
}

picker.addEventListener("change", () => {
  location.hash = picker.value ? hashOf({ view: "network", network: picker.value }) : "#/";
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash of the address names the view
  main.focus();
});
// Each history entry remembers its scroll position.
history.scrollRestoration = "manual";
let remembering = 0;
addEventListener(
  "scroll",
  () => {
    clearTimeout(remembering);
    remembering = setTimeout(() => history.replaceState({ y: scrollY }, ""), 150);
  },
  { passive: true },
);
addEventListener("hashchange", async () => {
  clearTimeout(remembering);
  hasMoved = true;
  const y = history.state?.y ?? 0;
  scrollTo(0, 0);
  await go();
  if (y) scrollTo(0, y);
});
addEventListener("networks", fillPicker);
// Transparent pictures lie on squares, which would be seen alone until a picture is there.
document.addEventListener("load", ({ target }) => target.classList?.add("loaded"), true);
watchService();
fillPicker();
go().then(() => scrollTo(0, history.state?.y ?? 0));
