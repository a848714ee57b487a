// The view that the address names: #/NAME, #/NAME/unit?layer=L&unit=U&panel=P&open=N,
// #/NAME/layer?layer=L&first=U&sort=S&show=C&class=C&like=U&to=L:U&photo=PHOTO&units=U-U,
// #/NAME/compose?target=T&balance=1&alpha=1&param=P&from=PHOTO&style=PHOTO,
// #/NAME/compare?target=T&recipe=R&other=NAME&with=T&by=R, #/jobs, #/jobs/ID.

const COMPOSED = ["balance", "alpha", "param", "from", "style"];
const COMPARED = ["recipe", "other", "with", "by"];
const WALL = ["sort", "show", "class", "like", "to", "photo", "units"];
const KEYS = ["layer", "unit", "panel", "open", "first", "target", ...WALL, ...COMPOSED, ...COMPARED];

/** The view of a hash and its parameters. */
export function placeOf(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const words = new URLSearchParams(query);
  const [first = "", second = ""] = path.split("/").map(decoded);
  if (!first) return { view: "networks" };
  if (first === "jobs") return second ? { view: "job", id: second } : { view: "jobs" };
  const place = { view: second || "network", network: first };
  for (const key of KEYS) {
    if (words.has(key)) place[key] = words.get(key);
  }
  if ("unit" in place) place.unit = Number(place.unit);
  return place;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a percent sign that encodes nothing
  }
}

/** The hash of a view. */
export function hashOf({ view, network, id, ...words }) {
  if (view === "networks") return "#/";
  if (view === "jobs") return "#/jobs";
  if (view === "job") return `#/jobs/${encodeURIComponent(id)}`;
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(words)) {
    if (value !== undefined && value !== null && value !== "") query.set(key, value);
  }
  const rest = view === "network" ? "" : `/${view}`;
  return `#/${encodeURIComponent(network)}${rest}${query.size ? `?${query}` : ""}`;
}

export const layerHash = (network, layer) => hashOf({ view: "layer", network, layer });
export const unitHash = (network, layer, unit) => hashOf({ view: "unit", network, layer, unit });
export const compareHash = (network, target) => hashOf({ view: "compare", network, target });
export const composeHash = (network, target, more = {}) =>
  hashOf({ view: "compose", network, target, ...more });
