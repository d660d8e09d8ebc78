// The ticked rows of a list: the bar that acts on them, and the box that ticks them all.
(() => {
  const boxes = () => [...document.querySelectorAll("[data-bulk-one]")];
  const chosen = new Set();

  const show = () => {
    const bar = document.querySelector("[data-bulk-bar]");
    if (!bar) return;
    const all = document.querySelector("[data-bulk-all]");
    const ticked = boxes().filter((box) => box.checked).length;
    bar.hidden = ticked === 0;
    bar.querySelector("[data-bulk-count]").textContent = `${ticked} chosen`;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
  };

  const remember = () => {
    chosen.clear();
    boxes().filter((box) => box.checked).forEach((box) => chosen.add(box.value));
    show();
  };

  const tickAll = (on) => {
    boxes().forEach((box) => { box.checked = on; });
    remember();
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-bulk-all]")) tickAll(event.target.checked);
    else if (event.target.matches("[data-bulk-one]")) remember();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-bulk-clear]")) tickAll(false);
  });
  // Rows come anew with each refresh; what was ticked stays ticked.
  document.addEventListener("htmx:afterSwap", () => {
    boxes().forEach((box) => { box.checked = chosen.has(box.value); });
    remember();
  });
  document.addEventListener("DOMContentLoaded", remember);
})();
