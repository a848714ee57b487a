// Browsers draw, and load the sprites of, what comes near the window, and show it some frames late.
// So all is loaded and drawn ahead of the reader, the nearest first and some at a time: from a disk
// the whole page, from a server what is some screens away.
addEventListener("load", () => {
  const sheets = [...document.querySelectorAll(".sheet")];
  const left = new Set(sheets.keys());
  const kept = []; // what nobody holds the browser may drop
  const most = location.protocol === "file:" ? Infinity : 3 * innerHeight;
  let loading = 0;
  const nearest = () => {
    const whole = document.documentElement.scrollHeight;
    const here = ((scrollY + innerHeight / 2) / whole) * sheets.length;
    let best = -1;
    for (const i of left) if (best < 0 || Math.abs(i - here) < Math.abs(best - here)) best = i;
    return (Math.abs(best - here) / sheets.length) * whole <= most ? best : -1;
  };
  const load = (sheet) => {
    const words = sheet.dataset.sprites ?? sheet.style.getPropertyValue("--sprites"); // url('...')
    const image = new Image();
    loading += 1;
    image.onload = image.onerror = () => {
      loading -= 1;
      (sheet.closest(".group") ?? sheet).style.contentVisibility = "visible";
      setTimeout(more);
    };
    image.src = words.trim().slice(5, -2);
    kept.push(image);
  };
  const more = () => {
    while (left.size && loading < 8) {
      const i = nearest();
      if (i < 0) return;
      left.delete(i);
      load(sheets[i]);
    }
  };
  addEventListener("scroll", more, { passive: true });
  more();
});
