// Shows text that can be copied.

import { announce, element } from "./dom.js";

/** A text in a box, with a button that copies it. */
export function copyable(words, label = "Copy the command") {
  const code = element("code", { tabindex: "0" }, words);
  const button = element("button", { type: "button", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      if (!document.execCommand("copy")) return; // the text stays selected
    }
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return element("div", { class: "copyable" }, code, button);
}
