// The files of directions: what targets can name, an upload, and what it refuses.

import * as api from "./api.js";
import { announce, counted, element, errorLine, joined } from "./dom.js";

/**
 * The arrays of the files of directions, and the part of a page that lists and uploads files.
 * `arrays(kind)` returns {name, vectors, width} of each, or {name, latents, width} of autoencoders
 * for the kind "latent"; `changed()` is called when they have changed.
 */
export function directionFiles(changed, signal) {
  let files = [];
  let rules = null;
  const { line, say, clear } = errorLine();
  const list = element("ul", {});
  const input = element("input", {
    type: "file",
    id: "directions-file",
    class: "unseen",
    accept: ".npy,.npz,.safetensors",
  });
  const how = element("span", { class: "soft small", role: "status" });
  const send = element(
    "div",
    { class: "pickfile", hidden: true },
    input,
    element("label", { for: "directions-file", class: "button" }, "Add a file of directions"),
    " ",
    how,
  );
  const place = element(
    "section",
    { class: "directions", "aria-label": "Files of directions", hidden: true },
    element("h2", {}, "Files of directions"),
    element(
      "p",
      { class: "small soft" },
      "Vectors in .npy, .npz or .safetensors, as many numbers as a layer has channels: ",
      "such as concepts that ",
      element("code", {}, "kerasviz directions"),
      " finds in photos; or a sparse autoencoder, with its ",
      element("code", {}, "cfg.json"),
      ". Pickles are refused.",
    ),
    list,
    send,
    line,
  );

  function show() {
    place.hidden = !rules?.allowed && !files.length;
    send.hidden = !rules?.allowed;
    list.replaceChildren(...files.map(row));
    changed();
  }

  function row(file) {
    const { name, arrays, autoencoder, latents, gate } = file;
    const remove = element(
      "button",
      { type: "button", class: "small", "aria-label": `Remove ${name}`, hidden: !rules?.allowed },
      "×",
    );
    remove.addEventListener("click", async () => {
      clear();
      try {
        await api.removeDirections(name);
        files = files.filter((one) => one.name !== name);
        show();
        input.focus();
      } catch (error) {
        say(error);
      }
    });
    const facts = latents
      ? [`sparse autoencoder of ${counted(latents, "latent")}, gate ${gate}`]
      : arrays.map((array) => joined(array.key, shapeWords(array)));
    return element(
      "li",
      {},
      element("span", { class: "code" }, name),
      element("span", { class: "small soft" }, facts.join("; ")),
      autoencoder && !latents && rules?.allowed ? configPart(name) : null,
      remove,
    );
  }

  /** What takes the configuration of an autoencoder. */
  function configPart(name) {
    const id = `config-${name}`;
    const config = element("input", { type: "file", id, class: "unseen", accept: ".json" });
    config.addEventListener("change", async () => {
      const [chosen] = config.files;
      if (!chosen) return;
      clear();
      try {
        const sent = await api.sendConfig(name, chosen, signal);
        files = files.map((one) => (one.name === name ? sent : one));
        announce(`${name} has ${counted(sent.latents, "latent")}`);
        show();
      } catch (error) {
        if (!signal.aborted) say(error);
      }
      config.value = "";
    });
    return element(
      "span",
      { class: "pickfile" },
      config,
      element("label", { for: id, class: "button small" }, "Add its cfg.json"),
    );
  }

  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    clear();
    input.disabled = true;
    how.textContent = `Checking ${file.name} …`;
    try {
      if (file.size > rules.direction_bytes) {
        const most = Math.floor(rules.direction_bytes / 2 ** 20);
        throw new Error(`${file.name} is larger than the limit of ${most} MiB.`);
      }
      const sent = await api.sendDirections(file, signal);
      files = [...files.filter(({ name }) => name !== sent.name), sent];
      announce(`${sent.name} was added`);
      show();
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    how.textContent = "";
    input.disabled = false;
    input.value = ""; // so that the same file can be chosen again
  });

  async function start() {
    try {
      [rules, files] = await Promise.all([api.uploads(signal), api.directions(signal)]);
      show();
    } catch (error) {
      if (!signal.aborted) say(error);
      place.hidden = signal.aborted;
    }
  }
  start();

  return {
    place,
    arrays: (kind = "file") =>
      (kind === "latent" ? autoencodersOf : arraysOf)(files),
  };
}

const autoencodersOf = (files) =>
  files
    .filter(({ latents }) => latents)
    .map(({ name, latents, arrays }) => ({ name, latents, width: widthOf(arrays) }));

/** The channels that an autoencoder reads. */
function widthOf(arrays) {
  const encoder = arrays.find(({ key }) => key === "W_enc");
  return encoder ? encoder.shape[0] : arrays.find(({ key }) => key === "encoder.weight").shape[1];
}

const arraysOf = (files) =>
  files.flatMap(({ name, arrays }) =>
    arrays.map(({ key, vectors, width }) => ({
      name: key ? `${name}:${key}` : name,
      vectors,
      width,
    })),
  );

function shapeWords({ vectors, width, shape }) {
  const whole = shape.length > 2 ? ` in ${shape.slice(-3, -1).join(" × ")} positions` : "";
  return `${vectors === null ? "1 vector" : counted(vectors, "vector")} of ${width}${whole}`;
}
