// The ticked rows of a list: the bar that acts on them, and the box that ticks them all.
(() => {
  const boxes = () => [...document.querySelectorAll("[data-bulk-one]")];

  function show() {
    const bar = document.querySelector("[data-bulk-bar]");
    const all = document.querySelector("[data-bulk-all]");
    if (!bar || !all) return;
    const ticked = boxes().filter((box) => box.checked).length;
    bar.hidden = ticked === 0;
    bar.querySelector("[data-bulk-count]").textContent = `${ticked} chosen`;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
  }

  function tickAll(on) {
    for (const box of boxes()) box.checked = on;
    show();
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-bulk-all]")) tickAll(event.target.checked);
    else if (event.target.matches("[data-bulk-one]")) show();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-bulk-clear]")) tickAll(false);
  });
  document.addEventListener("htmx:afterSwap", show);
  document.addEventListener("slipway:restored", show);
  document.addEventListener("DOMContentLoaded", show);
  addEventListener("pageshow", show);
})();
