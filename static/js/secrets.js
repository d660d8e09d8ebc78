// Copies a key, or a program with the key in it, without showing it; hides a shown key again.
"use strict";

(function () {
  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"]
    || (document.querySelector("[name=csrfmiddlewaretoken]") || {}).value;

  async function secretOf(url) {
    const answer = await fetch(url, { method: "POST", headers: { "X-CSRFToken": token(), Accept: "application/json" } });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error.message);
    return body.key;
  }

  async function copied(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Over plain HTTP from another machine browsers offer no clipboard, only the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("The browser does not let this page copy; choose View instead.");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-secret]");
    if (!button) return;
    const said = button.querySelector(".sw-copied");
    try {
      const key = await secretOf(button.dataset.copySecret);
      const { template, masked } = button.dataset;
      await copied(template ? template.replaceAll(masked, key) : key);
      said.textContent = "Copied";
    } catch (error) {
      said.textContent = error.message;
    }
    setTimeout(() => (said.textContent = ""), 4000);
  });

  // In the same moment as the key appears: a shown key is never without its timer.
  document.addEventListener("htmx:afterSwap", (event) => {
    const shown = event.target.querySelector("[data-hide-after]");
    const place = event.target.closest("[data-masked]");
    if (!shown || !place) return;
    const hide = () => {
      const code = document.createElement("code");
      code.className = "sw-break";
      code.textContent = place.dataset.masked;
      place.replaceChildren(code);
    };
    setTimeout(hide, Number(shown.dataset.hideAfter) * 1000);
  });
})();
