// A form that acts is sent once, however often its button is pressed.
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-once]");
    if (!form) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    form.querySelectorAll("button[type=submit]").forEach((button) => {
      button.setAttribute("aria-busy", "true");
      button.classList.add("disabled");
    });
  });
  // Back brings the page from memory, with the form as it was left.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("[data-once]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("button[type=submit]").forEach((button) => {
        button.removeAttribute("aria-busy");
        button.classList.remove("disabled");
      });
    });
  });
})();
