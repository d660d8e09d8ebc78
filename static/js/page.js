// Small behaviours of every page, all found by data attributes, all delegated from the document.

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function relative(moment) {
  const seconds = (Date.now() - moment) / 1000;
  const amount = Math.abs(seconds);
  const [unit, size] = UNITS.find(([, size]) => amount >= size) || ["s", 1];
  if (amount < 1) return "now";
  const text = `${Math.floor(amount / size)} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function localTime(moment, seconds) {
  const style = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (seconds) style.second = "2-digit";
  // A zone that the person chose comes before the browser's.
  if (document.documentElement.dataset.tz) style.timeZone = document.documentElement.dataset.tz;
  return new Intl.DateTimeFormat("sv-SE", style).format(moment);
}

function refreshTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-relative], time[data-moment]")) {
    const moment = new Date(time.dateTime);
    if ("relative" in time.dataset) {
      time.textContent = relative(moment);
      time.title = localTime(moment, true);
    } else {
      time.textContent = localTime(moment, false);
    }
  }
}

async function copy(button) {
  const text = button.dataset.copy ?? document.querySelector(button.dataset.copyFrom)?.textContent ?? "";
  const said = button.querySelector(".sw-copied");
  try {
    await navigator.clipboard.writeText(text);
    if (said) said.textContent = "Copied";
  } catch {
    // Without HTTPS there is no clipboard to write to: select it for the person instead.
    prompt("Copy this:", text);
  }
  if (said) setTimeout(() => { said.textContent = ""; }, 1500);
}

function closeMenus(but) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== but) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  const target = event.target;
  closeMenus(target.closest("details[data-menu]"));
  const copying = target.closest("[data-copy], [data-copy-from]");
  if (copying) copy(copying);
  const opener = target.closest("[data-open-dialog]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.openDialog)?.showModal();
  }
  if (target.closest("[data-close-dialog]")) target.closest("dialog").close();
  if (target.closest("[data-dismiss]")) target.closest(".alert").remove();
  const sideButton = document.querySelector("[data-toggle-side]");
  if (target.closest("[data-toggle-side]")) {
    const open = document.body.classList.toggle("sw-side-open");
    sideButton.setAttribute("aria-expanded", String(open));
  } else if (!target.closest(".sw-side")) {
    document.body.classList.remove("sw-side-open");
    sideButton?.setAttribute("aria-expanded", "false");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details[data-menu][open]");
  closeMenus();
  open?.querySelector("summary").focus();
  document.body.classList.remove("sw-side-open");
});

// A button of a form that asks for a name stays off until the name is right.
function guard(input) {
  const button = input.form?.querySelector("button[type=submit]");
  if (button) button.disabled = input.value !== input.dataset.mustEqual;
}
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-must-equal]")) guard(event.target);
});

// A form is sent once; the page that follows answers.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button[type=submit]")) button.classList.add("btn-loading");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll(".btn-loading")) button.classList.remove("btn-loading");
  }
});

function refresh(root) {
  refreshTimes(root);
  root.querySelectorAll("[data-must-equal]").forEach(guard);
  root.querySelector("[data-autofocus]")?.focus();
}

document.cookie = `tz=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;
document.addEventListener("DOMContentLoaded", () => refresh(document));
if (document.readyState !== "loading") refresh(document);
document.addEventListener("htmx:afterSettle", (event) => refreshTimes(event.target.parentNode || document));
setInterval(refreshTimes, 5000);
