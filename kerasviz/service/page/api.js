// The requests to the server, whose errors are one line each.

import { untilBack } from "./connection.js";
import { showsPlots } from "./dom.js";
import { signIn } from "./session.js";

/** An error: the server's line and its status. */
export class Refusal extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

// A name of this window: the service makes the pictures of several windows in turn.
const CLIENT = { "X-Client": crypto.getRandomValues(new Uint32Array(2)).join("-") };
const MOST_BROKEN = 3; // attempts of a request that the service does not answer while it is there

/** Request JSON; sign in first if the server requires a token, and wait for one that is away. */
async function ask(path, options = {}) {
  let broken = 0;
  for (;;) {
    let response;
    try {
      response = await fetch(path, { ...options, headers: { ...options.headers, ...CLIENT } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      broken += 1;
      if (broken > MOST_BROKEN) throw new Refusal(0, "The service closes the connection.");
      await untilBack(options.signal); // the same request again asks for nothing new
      continue;
    }
    if (response.status === 401) {
      await signIn();
      continue;
    }
    if (!response.ok) throw new Refusal(response.status, await lineOf(response));
    return response.status === 204 ? null : response.json();
  }
}

async function lineOf(response) {
  let words = `The server answered ${response.status} ${response.statusText}`.trim();
  try {
    const { error } = await response.json();
    if (typeof error === "string") words = error;
  } catch {
    // The body is no JSON; the status must do.
  }
  const wait = response.headers.get("Retry-After");
  return response.status === 429 && wait ? `${words}; try again in ${wait} s` : words;
}

const of = (network, rest = "") => `/api/networks/${encodeURIComponent(network)}${rest}`;
const sent = (file) => ({
  method: "POST",
  body: file,
  headers: { "Content-Type": file.type || "application/octet-stream" },
});
const query = (words) => `?${new URLSearchParams(words)}`;

export const networks = (signal) => ask("/api/networks", { signal });
export const network = (name) => ask(of(name));
export const layer = (name, words, signal) => ask(of(name, `/layer${query(words)}`), { signal });
export const unit = (name, words, signal) => ask(of(name, `/unit${query(words)}`), { signal });
/** The units of a layer in an order: { layer, sort, show, class, like, to, photo, units }. */
export const wall = (name, words, signal) => ask(of(name, `/wall${query(words)}`), { signal });
export const connectionsAddress = (name, words) => of(name, `/connections${query(words)}`);
export const connections = (name, words, signal) => ask(connectionsAddress(name, words), { signal });
export const neighboursAddress = (name, words) => of(name, `/neighbours${query(words)}`);
export const neighbours = (name, words, signal) => ask(neighboursAddress(name, words), { signal });
export const spectrum = (name, words, signal) =>
  ask(of(name, `/spectrum${query(words)}`), { signal });
export const notes = (name, signal) => ask(of(name, "/notes"), { signal });

/** Give a unit a name and a star: { layer, unit, name, star }. */
export const note = (name, words) =>
  ask(of(name, "/notes"), {
    method: "PUT",
    body: JSON.stringify(words),
    headers: { "Content-Type": "application/json" },
  });

export const shareAddress = (name, layer) => of(name, `/share${layer ? query({ layer }) : ""}`);
export const search = (name, q, signal) => ask(of(name, `/search${query({ q })}`), { signal });
/** What a network makes of a photograph, of a cat if none is given, under every preset. */
export const inputTrials = (name, photo, signal) =>
  ask(of(name, "/input-trials"), photo ? { ...sent(photo), signal } : { signal });

/** Describe the input of a network by a preset. */
export const describeInput = (name, preprocess) =>
  ask(of(name, "/input"), {
    method: "PUT",
    body: JSON.stringify({ preprocess }),
    headers: { "Content-Type": "application/json" },
  });

/**
 * The address of a finished picture in small, for walls. Previews stay, and plots, whose lines and
 * letters would be lost.
 */
export const small = (url) =>
  url.startsWith("/pictures/") && !showsPlots() ? `${url}&small=1` : url;

export const provenance = (url) => ask(url);

export const uploads = (signal) => ask("/api/uploads", { signal });
export const uploaded = (id, signal) => ask(`/api/uploads/${encodeURIComponent(id)}`, { signal });

export const directions = (signal) => ask("/api/directions", { signal });

/** Send a file of directions. */
export const sendDirections = (file, signal) =>
  ask(`/api/directions${query({ name: file.name })}`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
    signal,
  });

export const removeDirections = (name) =>
  ask(`/api/directions/${encodeURIComponent(name)}`, { method: "DELETE" });

/** Send the configuration of a sparse autoencoder, whose file was sent before. */
export const sendConfig = (name, file, signal) =>
  ask(`/api/directions/${encodeURIComponent(name)}/config`, {
    method: "PUT",
    body: file,
    headers: { "Content-Type": "application/json" },
    signal,
  });

/** The photos of the facets that the service knows: ids by the name of the facet. */
export const facets = (signal) => ask("/api/facets", { signal });

const ofPhoto = (id) => `/api/photos/${encodeURIComponent(id)}`;
export const photo = (id, signal) => ask(ofPhoto(id), { signal });
export const thumbnail = (id) => `${ofPhoto(id)}/thumbnail.png`;

/** Send a photo, from which pictures start, or with which they are compared. */
export const sendPhoto = (file, signal) =>
  ask(`/api/photos${query({ name: file.name })}`, { ...sent(file), signal });

/** Send an image of a folder, whose id the page draws; `path` is its path in the folder. */
export const sendImage = (folder, path, file, signal) =>
  ask(`/api/folders/${folder}/images${query({ name: path })}`, { ...sent(file), signal });

/** Search a folder { folder, name } that was sent: returns a job as of `render`. */
export const searchFolder = (name, words) =>
  ask(of(name, "/examples"), {
    method: "POST",
    body: JSON.stringify(words),
    headers: { "Content-Type": "application/json" },
  });

/** The images that were searched for a network, and the job that searches. */
export const searched = (name, signal) => ask(of(name, "/examples"), { signal });

/** Send a model file; `preprocess` may be empty. */
export const upload = (name, preprocess, file, signal) =>
  ask(`/api/networks${query({ name, ...(preprocess && { preprocess }) })}`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
    signal,
  });

/** The activations of a layer for a picture (a file or blob), with the map of a unit if named. */
export const activations = (name, words, picture, signal) =>
  ask(of(name, `/activations${query(words)}`), { ...sent(picture), signal });

/** The classes that a network sees in a picture, and the layers that can say why. */
export const guesses = (name, picture, signal) =>
  ask(of(name, "/guesses"), { ...sent(picture), signal });

/** What a layer contributes to a class, for a picture: `words` are {layer, number}. */
export const attribution = (name, words, picture, signal) =>
  ask(of(name, `/attribution${query(words)}`), { ...sent(picture), signal });

/** Request pictures: returns a new job, or the one of the same earlier request. */
export const render = (request) =>
  ask("/api/renders", {
    method: "POST",
    body: JSON.stringify(request),
    headers: { "Content-Type": "application/json" },
  });

/** Ask how far finished pictures can be trusted: returns a job as of `render`. */
export const trust = (request) =>
  ask("/api/trust", {
    method: "POST",
    body: JSON.stringify(request),
    headers: { "Content-Type": "application/json" },
  });

const ofJob = (id) => `/api/renders/${encodeURIComponent(id)}`;
export const job = (id, signal) => ask(ofJob(id), { signal });
export const jobs = (words, signal) => ask(`/api/renders${query(words)}`, { signal });
export const cancel = (id) => ask(ofJob(id), { method: "DELETE" });
