// Tabs inside a card: click, arrow keys, and the choice is kept for the next page and refresh.
"use strict";

(function () {
  function choose(tab) {
    const list = tab.closest("[role=tablist]");
    list.querySelectorAll("[role=tab]").forEach((each) => {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    });
  }

  function restore() {
    document.querySelectorAll("[data-tabs]").forEach((group) => {
      const id = sessionStorage.getItem(`tabs-${group.dataset.tabs}`);
      const tab = id && document.getElementById(id);
      if (tab && group.contains(tab)) choose(tab);
    });
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-tabs] [role=tab]");
    if (!tab) return;
    choose(tab);
    sessionStorage.setItem(`tabs-${tab.closest("[data-tabs]").dataset.tabs}`, tab.id);
  });
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  document.addEventListener("htmx:afterSettle", restore);
  restore();
})();
