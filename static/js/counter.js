// A number with buttons for one fewer and one more.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-counter] [data-step]");
    if (!button) return;
    const input = button.closest("[data-counter]").querySelector("input");
    if (Number(button.dataset.step) > 0) input.stepUp();
    else input.stepDown();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
