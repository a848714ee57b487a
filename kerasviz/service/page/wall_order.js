// The order and the choice of the units on a wall: controls, whose state the address has.

import * as api from "./api.js";
import { hashOf, placeOf } from "./address.js";
import { counted, element } from "./dom.js";

const SORTS = {
  number: "number",
  peak: "peak in data",
  selectivity: "selectivity for a class",
  class: "response to a class",
  likeness: "likeness to a unit",
  connection: "connection with a unit",
  photo: "response to my photo",
};
const SHOWS = {
  all: "all",
  starred: "starred",
  named: "named",
  active: "active in data",
  dead: "never active in data",
  class: "those of a class",
};
const SAID = {
  peak: "their largest activation in data",
  selectivity: "how selective they are for a class",
  class: "their mean response to",
  likeness: "likeness to unit",
  connection: "the weights between them and",
  photo: "their mean response to the photo",
};

/**
 * The controls for the wall of a layer. `ordered({ units, values })` gets each new order; without
 * any it is by number. `place` is the place of the address when the view was opened.
 */
export function wallOrder({ described, summary, place, ordered, say, clear, signal }) {
  const { name } = described;
  const choice = (key, words, options) =>
    element(
      "select",
      { name: key },
      Object.entries(options).map(([value, text]) => element("option", { value }, text)),
    );
  const sort = choice("sort", "Sort by", SORTS);
  const show = choice("show", "Show", SHOWS);
  const ofClass = element("select", { name: "class" });
  const like = element("input", {
    type: "number",
    name: "like",
    min: 0,
    max: summary.units - 1,
    step: 1,
    inputmode: "numeric",
  });
  const to = element("input", { name: "to", placeholder: "LAYER:UNIT", spellcheck: "false" });
  const units = element("input", {
    name: "units",
    placeholder: `0-${summary.units - 1}`,
    inputmode: "numeric",
    spellcheck: "false",
  });
  const field = (words, input) => element("label", { class: "field" }, words, input);
  const image = element("img", { alt: "The photo", hidden: true });
  const fields = {
    class: field("Class", ofClass),
    like: field("Like unit", like),
    to: field("Connected with", to),
  };
  const said = element("p", { class: "small soft ordered", role: "status" });
  const form = element(
    "form",
    { class: "order", "aria-label": "Order of the units" },
    field("Sort by", sort),
    fields.like,
    fields.to,
    image,
    field("Show", show),
    fields.class,
    field("Units", units),
  );
  let photo = place.photo ?? "";
  let turn = 0;

  const last = lastUnit();
  sort.value = place.sort in SORTS ? place.sort : "number";
  show.value = place.show in SHOWS ? place.show : "all";
  like.value = place.like ?? (last?.layer === summary.name ? last.unit : 0);
  to.value = place.to ?? (last && last.layer !== summary.name ? `${last.layer}:${last.unit}` : "");
  units.value = place.units ?? "";
  let wanted = place.class ?? ""; // the class, until the classes of the data are known

  /** What is asked for, without what makes no difference. */
  function question() {
    const asked = {};
    const uses = (key) => sort.value === key || show.value === key;
    if (sort.value !== "number") asked.sort = sort.value;
    if (show.value !== "all") asked.show = show.value;
    if (uses("class") && (ofClass.value || wanted)) asked.class = ofClass.value || wanted;
    if (uses("likeness") && like.value !== "") asked.like = like.value;
    if (uses("connection") && to.value.trim()) asked.to = to.value.trim();
    if (uses("photo") && photo) asked.photo = photo;
    if (units.value.trim()) asked.units = units.value.trim();
    return asked;
  }

  function offer(asked, found) {
    fields.like.hidden = sort.value !== "likeness";
    fields.to.hidden = sort.value !== "connection";
    image.hidden = sort.value !== "photo" || !photo;
    if (!image.hidden) image.src = api.thumbnail(photo);
    const classes = found?.classes ?? [];
    if (found && classes.length !== ofClass.length)
      ofClass.replaceChildren(...classes.map((one) => element("option", { value: one }, one)));
    if (wanted && classes.includes(wanted)) ofClass.value = wanted;
    if (found) wanted = "";
    fields.class.hidden = !("class" in asked) && sort.value !== "class" && show.value !== "class";
    fields.class.hidden ||= !ofClass.length;
  }

  async function order() {
    const mine = ++turn;
    const asked = question();
    remember();
    offer(asked, null);
    clear();
    if (!Object.keys(asked).length) {
      ordered({ units: null, values: null });
      tell(asked, { units: { length: summary.units }, wants: "" });
      return;
    }
    said.textContent = "Sorting …";
    try {
      const found = await api.wall(name, { layer: summary.name, ...asked }, signal);
      if (mine !== turn || signal.aborted) return;
      offer(asked, found);
      remember();
      ordered(found);
      tell(question(), found);
    } catch (error) {
      if (mine !== turn || signal.aborted) return;
      said.textContent = "";
      say(error);
    }
  }
  let moved = false; // whether the user has chosen anything here

  /** Write what is asked for into the address. */
  function remember() {
    if (!moved || placeOf(location.hash).view !== "layer") return;
    const hash = hashOf({ view: "layer", network: name, layer: summary.name, ...question() });
    if (location.hash !== hash) history.replaceState(history.state, "", hash);
  }

  function tell(asked, { units: { length }, values, wants }) {
    const by = SAID[values ? asked.sort : ""];
    const what = { class: asked.class, likeness: asked.like, connection: asked.to }[asked.sort];
    const kind = { starred: "starred ", named: "named ", active: "active ", dead: "dead " };
    const which = wants ? "" : (kind[asked.show] ?? "");
    const ofThose = !wants && asked.show === "class" ? ` that prefer ${asked.class ?? ""}` : "";
    const count = counted(length, "unit").replace(" ", ` ${which}`);
    const sorted = `${count}${ofThose}, by ${by ? [by, what].filter(Boolean).join(" ") : "number"}`;
    const unknown = values?.includes(null) ? " Units with – come last: that is not known." : "";
    said.replaceChildren(`${sorted}.${unknown}`, ...(wants ? [" ", element("strong", {}, wants)] : []));
  }

  form.addEventListener("change", () => {
    moved = true;
    order();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  return {
    form,
    said,
    order,
    /** Sort by the response to a photo that was sent. */
    byPhoto(id) {
      photo = id;
      sort.value = "photo";
      moved = true;
      return order();
    },
    sort: () => sort.value,
    isByNumber: () => !Object.keys(question()).length,
  };
}

const LAST = "kerasviz last unit";

/** Remember a unit that was looked at, with which others are compared. */
export function noteUnit({ layer, unit }) {
  try {
    sessionStorage.setItem(LAST, JSON.stringify({ layer, unit }));
  } catch {
    // A browser that keeps nothing offers no unit.
  }
}

function lastUnit() {
  try {
    return JSON.parse(sessionStorage.getItem(LAST));
  } catch {
    return null;
  }
}
