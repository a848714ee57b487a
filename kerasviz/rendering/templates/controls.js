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
    const word = control.querySelector("[data-words]");
    if (word) word.textContent = word.dataset.words.split("|")[Number(valueOf(control))];
    const slider = control.querySelector("input[type=range]");
    if (!slider) return;
    [...control.querySelectorAll(".ticks span")].forEach((tick, i) => {
      tick.classList.toggle("chosen", i === Number(slider.value));
      if (i === Number(slider.value)) slider.setAttribute("aria-valuetext", tick.textContent);
    });
  };
  const choose = (control, value) => {
    const inputs = control.querySelectorAll("input");
    if (inputs[0].type === "checkbox") inputs[0].checked = value === "1";
    else if (inputs[0].type === "range") inputs[0].value = value;
    else inputs[Number(value)].checked = true;
  };
  const title = (control) => control.querySelector("legend").textContent;
  // Of some figures only some combinations are there: the other controls follow the one that moved.
  const nearest = (wanted, moved) => {
    const away = (row) => {
      const own = row.dataset.setting.split(" ");
      return own[moved] === wanted[moved] ? own.filter((value, k) => value !== wanted[k]).length : Infinity;
    };
    return rows.reduce((best, row) => (away(row) < away(best) ? row : best));
  };
  const show = (moved = 0) => {
    const wanted = controls.map(valueOf);
    const found = nearest(wanted, moved);
    const own = found.dataset.setting.split(" ");
    const followed = controls.filter((_, k) => own[k] !== wanted[k]);
    controls.forEach((control, k) => choose(control, own[k]));
    controls.forEach(label);
    nothing.hidden = followed.length === 0;
    nothing.textContent = followed.length
      ? `${followed.map(title).join(" and ")} moved too: of this figure only some combinations were made.` : "";
    for (const row of rows) row.hidden = row !== found;
    for (const image of found.querySelectorAll("img:not([src])")) {
      image.loading = "eager";
      image.src = image.parentElement.href;
    }
  };
  form.addEventListener("input", (event) => show(controls.indexOf(event.target.closest("fieldset"))));
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
