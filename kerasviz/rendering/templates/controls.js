// Each figure's controls show the row of pictures whose setting they are. Nothing is global: a page
// may hold many figures.
for (const figure of document.querySelectorAll(".figure")) {
  const form = figure.querySelector("form.controls");
  if (!form) continue;
  const area = figure.querySelector(".settings"), nothing = figure.querySelector(".nothing");
  const rows = [...area.querySelectorAll("[data-setting]")];
  const controls = [...form.querySelectorAll("fieldset")];
  const valueOf = (control) => {
    const [first] = control.querySelectorAll("input");
    if (first.type === "checkbox") return first.checked ? "1" : "0";
    return first.type === "range" ? first.value : control.querySelector("input:checked").value;
  };
  const label = (control) => {
    const slider = control.querySelector("input[type=range]");
    if (!slider) return;
    [...control.querySelectorAll(".ticks span")].forEach((tick, i) => {
      tick.classList.toggle("chosen", i === Number(slider.value));
      if (i === Number(slider.value)) slider.setAttribute("aria-valuetext", tick.textContent);
    });
  };
  const show = () => {
    controls.forEach(label);
    const setting = [];
    for (const control of controls) {
      if (control.dataset.control !== "step") setting.push(valueOf(control));
      else widen(Number(valueOf(control)));
    }
    const found = rows.find((row) => row.dataset.setting === setting.join(" "));
    nothing.hidden = Boolean(found);
    // The row that is shown stays in its place until another one is there.
    if (found) for (const row of rows) row.hidden = row !== found;
    area.classList.toggle("missing", !found);
    for (const image of found ? found.querySelectorAll("img:not([src])") : []) {
      image.loading = "eager";
      image.src = image.parentElement.href;
    }
  };
  const widen = (chosen) => {
    const columns = Number(area.style.getPropertyValue("--columns"));
    const tracks = Array.from({ length: columns }, (_, i) => `minmax(0, ${i === chosen ? 1.9 : 1}fr)`);
    area.style.setProperty("--tracks", tracks.join(" "));
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  nothing.querySelector("button").addEventListener("click", () => {
    form.reset();
    show();
    form.querySelector("input").focus();
  });
  show();
}
