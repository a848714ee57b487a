// The token of a server that requires one: entered once, kept by the browser as a cookie.

import { element, errorLine } from "./dom.js";

let asking = null;

/** Ask for the token until the server accepts it; all callers share one dialog. */
export function signIn() {
  asking ??= dialog().finally(() => (asking = null));
  return asking;
}

function dialog() {
  return new Promise((resolve) => {
    const { line, say, clear } = errorLine();
    const field = element("input", {
      type: "password",
      name: "token",
      autocomplete: "current-password",
      required: true,
      autofocus: true,
    });
    const form = element(
      "form",
      { method: "dialog" },
      element("h2", { id: "token-title" }, "This server requires a token"),
      element(
        "p",
        { class: "soft small" },
        "It was set by ",
        element("code", {}, "kerasviz serve --token"),
        ".",
      ),
      element("label", { class: "field" }, "Token", field),
      line,
      element("button", { class: "main" }, "Continue"),
    );
    const box = element("dialog", { class: "token", "aria-labelledby": "token-title" }, form);
    // The page is of no use without the token.
    box.addEventListener("cancel", (event) => event.preventDefault());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clear();
      try {
        const response = await fetch("/api/session", {
          method: "POST",
          body: JSON.stringify({ token: field.value }),
          headers: { "Content-Type": "application/json" },
        });
        if (!response.ok) throw new Error(refusal(response));
        box.close();
        box.remove();
        resolve();
      } catch (error) {
        say(error);
        field.select();
      }
    });
    document.body.append(box);
    box.showModal();
  });
}

function refusal({ status, headers }) {
  if (status === 401 || status === 403) return "This is not the token.";
  if (status !== 429) return `The server answered ${status}.`;
  return `Too many wrong tokens. Try again in ${headers.get("Retry-After")} s.`;
}
