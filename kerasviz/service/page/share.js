// The way to take pictures along.

import { shareAddress } from "./api.js";
import { element } from "./dom.js";

/** A link to the pictures so far, of a network or of a layer, as a site that needs no server. */
export const shareLink = (network, layer = "") =>
  element(
    "a",
    {
      class: "button",
      href: shareAddress(network, layer),
      download: true,
      title: "The pictures so far, in a zip with a page that needs no server",
    },
    "Share",
  );
