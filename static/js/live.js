// Parts that refresh themselves: nothing jumps, and a stale page says how old it is.
//
// data-live       on a part with hx-get and hx-trigger="every …": refreshes while the page is seen
// data-keep       inside it, what a person opened, typed or ticked survives (with the same id)
// data-freshness  shows "live · 2 s ago", or what went wrong since when

(() => {
  let last = Date.now();
  let failing = false;

  function show() {
    const age = Math.round((Date.now() - last) / 1000);
    for (const place of document.querySelectorAll("[data-freshness]")) {
      place.textContent = failing ? `not refreshed for ${age} s · retrying` : `live · ${age} s ago`;
      place.classList.toggle("text-danger", failing);
    }
  }

  function state(root) {
    const open = [...root.querySelectorAll("details[open][id]")].map((d) => d.id);
    const ticked = [...root.querySelectorAll("input[type=checkbox][id]")].filter((i) => i.checked).map((i) => i.id);
    const typed = [...root.querySelectorAll("input[type=text][id], input[type=search][id], textarea[id]")].map((i) => [i.id, i.value]);
    return { open, ticked, typed, focus: document.activeElement?.id, x: scrollX, y: scrollY };
  }

  function restore(kept) {
    for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
    for (const id of kept.ticked) {
      const input = document.getElementById(id);
      if (input) input.checked = true;
    }
    for (const [id, value] of kept.typed) {
      const input = document.getElementById(id);
      if (input) input.value = value;
    }
    if (kept.focus && document.activeElement?.id !== kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
    scrollTo(kept.x, kept.y);
    document.dispatchEvent(new CustomEvent("slipway:restored"));
  }

  let kept = null;
  const isLive = (element) => element?.hasAttribute?.("data-live");

  document.addEventListener("htmx:beforeRequest", (event) => {
    const busy = document.hidden || document.querySelector("dialog[open]");
    if (isLive(event.detail.elt) && busy && event.detail.requestConfig.triggeringEvent?.type !== "refresh") event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isLive(event.detail.requestConfig.elt)) return;
    failing = event.detail.xhr.status >= 400;
    if (failing) {
      event.detail.shouldSwap = false;
      show();
      return;
    }
    last = Date.now();
    if (isLive(event.detail.target)) kept = state(event.detail.target);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!kept || !isLive(event.detail.requestConfig.elt)) return;
    restore(kept);
    kept = null;
    show();
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!isLive(event.detail.elt)) return;
    failing = true;
    show();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "refresh"));
  });
  document.addEventListener("DOMContentLoaded", show);
  setInterval(show, 1000);
})();
