// Parses and writes sums of units, classes, layers and directions as on the command line.

const FILE = /^(.+?)@([\w.-]+\.(?:npy|npz|safetensors))(:[^[\]#]+)?(?:\[(\d+)\])?(#cosine=[\d.]+)?$/i;
const LATENT = /^(.+?)@([\w.-]+\.(?:npz|safetensors))#latent=(\d+)$/i;

/**
 * The terms of a target: {kind: "unit" | "class" | "random" | "layer" | "file" | "latent" |
 * "caricature" | "inversion", layer, value, weight}, where `value` is the unit, the class or the number of the direction; null if it has
 * other terms. A direction of a file also has its `array`, as FILE:KEY, and an `option`, a latent of
 * an autoencoder its file as `array`.
 */
export function termsOf(text) {
  const words = text.trim();
  if (!words) return [];
  const pieces = words.split(/\s+([+-])\s+/);
  const terms = [term(pieces[0], 1)];
  for (let i = 1; i < pieces.length; i += 2)
    terms.push(term(pieces[i + 1], pieces[i] === "-" ? -1 : 1));
  return terms.includes(null) ? null : terms;
}

function term(piece, sign) {
  let words = piece.trim();
  let weight = sign;
  if (words.startsWith("-")) {
    weight = -weight;
    words = words.slice(1).trim();
  }
  const scaled = /^(\d+(?:\.\d*)?|\.\d+)\s*\*\s*(.+)$/.exec(words);
  if (scaled) {
    weight *= Number(scaled[1]);
    words = scaled[2];
  }
  let found = /^logit:(.+)$/.exec(words);
  if (found) return { kind: "class", layer: "", value: found[1].trim(), weight };
  if (/^(penalty|prob):/.test(words)) return null;
  found = /^(caricature|inversion):([^@#*]+)$/.exec(words);
  if (found) return { kind: found[1], layer: found[2].trim(), value: "", weight };
  found = LATENT.exec(words);
  if (found) return { kind: "latent", layer: found[1], array: found[2], value: found[3], weight };
  found = FILE.exec(words);
  if (found) {
    const [, layer, file, key = "", value = "", option = ""] = found;
    return { kind: "file", layer, array: file + key, value, option, weight };
  }
  found = /^(.+):random-(\d+)$/.exec(words);
  if (found) return { kind: "random", layer: found[1], value: found[2], weight };
  found = /^(.+?):(\d+)$/.exec(words);
  if (found) return { kind: "unit", layer: found[1], value: found[2], weight };
  return /[:@*]/.test(words) || !words ? null : { kind: "layer", layer: words, value: "", weight };
}

/** Whether a term compares a layer with that of a photo. */
export const ofPhoto = ({ kind }) => kind === "caricature" || kind === "inversion";

/** The target of terms, without terms that have no weight or name. */
export function textOf(terms) {
  let text = "";
  for (const one of terms) {
    const name = nameOf(one);
    const size = Math.round(Math.abs(one.weight) * 100) / 100;
    if (!name || !size) continue;
    const factor = size === 1 ? "" : `${size}*`;
    const minus = one.weight < 0;
    text += text ? ` ${minus ? "-" : "+"} ${factor}${name}` : `${minus ? "-" : ""}${factor}${name}`;
  }
  return text;
}

function nameOf({ kind, layer, value, array, option = "" }) {
  if (kind === "class") return value ? `logit:${value}` : "";
  if (!layer) return "";
  if (kind === "layer") return layer;
  if (ofPhoto({ kind })) return `${kind}:${layer}`;
  if (kind === "latent") return array && value !== "" ? `${layer}@${array}#latent=${value}` : "";
  if (kind === "file") return array ? `${layer}@${array}${value && `[${value}]`}${option}` : "";
  return value === "" ? "" : `${layer}:${kind === "random" ? "random-" : ""}${value}`;
}
