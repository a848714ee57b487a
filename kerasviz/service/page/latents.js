// Whether the latents of sparse autoencoders are on in pictures.

import { rounded } from "./activation.js";
import { element } from "./dom.js";

/** A line for each latent that a picture shows, or null without any. */
export function latentLines({ latents = [] }) {
  if (!latents.length) return null;
  return element(
    "ul",
    { class: "latents" },
    latents.map((one) =>
      element("li", { data: { on: String(one.on) } }, element("strong", {}, name(one)), words(one)),
    ),
  );
}

const counted = (number) => number.toLocaleString("en");
const name = ({ latent, on }) => `Latent ${latent} is ${on ? "on" : "off"}`;

function words({ on, code, rank, latents, share }) {
  const place = `place ${counted(rank)} of ${counted(latents)} before the gate`;
  if (!on) return ` at all positions (${place}): the picture does not show it. Try more steps.`;
  return ` at ${rounded(100 * share)} % of the positions, at most with ${rounded(code)} (${place}).`;
}
