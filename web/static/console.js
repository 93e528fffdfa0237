// Live refresh, the age of the data, and forms that submit themselves. Everything works without this file but these.
"use strict";

(() => {
  const EVERY_MS = 5000;
  const OLD_MS = 15 * 60e3; // older data are not what happens now
  const button = document.querySelector("button.live");
  let isPaused = false;

  function refresh() {
    if (!isPaused && !document.hidden && document.getElementById("live")) {
      document.body.dispatchEvent(new CustomEvent("refresh"));
    }
  }

  function toggle() {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(!isPaused));
    button.textContent = isPaused ? button.dataset.off : button.dataset.on;
    document.dispatchEvent(new CustomEvent("console:live", { detail: { isPaused } }));
    refresh();
  }
  button?.addEventListener("click", toggle);
  document.addEventListener("console:pause", () => button && toggle());

  // A lost server or a failed query: the old figures stay, and a line says how old they are.
  function say(isLost) {
    const notice = document.querySelector(".notice.lost");
    if (notice) notice.hidden = !isLost;
  }
  document.addEventListener("htmx:error", () => say(true));
  document.addEventListener("htmx:response:error", () => say(true));
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.response?.raw?.ok) say(false);
    tellAge();
  });

  // The age in the bar goes on while nothing comes; the server's clock counts, by how long this page has been open.
  const chip = document.querySelector(".data-age[data-newest]");
  const units = [["years", 365 * 86400e3, 730 * 86400e3], ["days", 86400e3, 2 * 86400e3], ["hours", 3600e3, 2 * 3600e3],
    ["minutes", 60e3, 2 * 60e3], ["seconds", 1000, 5000]];
  let clockAhead = null;

  function tellAge() {
    const newest = document.getElementById("live")?.dataset.newest;
    if (!chip || !newest) return;
    const words = JSON.parse(chip.dataset.words);
    clockAhead ??= Date.now() - new Date(document.documentElement.dataset.now);
    const age = Date.now() - clockAhead - new Date(newest);
    const [unit, length] = units.find(([, , least]) => age >= least) ?? [];
    const told = unit ? words[`age.${unit}`].replace("{n}", Math.floor(age / length)) : words["age.now"];
    chip.textContent = words["age.data"].replace("{age}", told);
    chip.classList.toggle("old", age > OLD_MS);
  }

  for (const form of document.querySelectorAll("form[data-submits-itself]")) {
    form.classList.add("scripted");
    form.addEventListener("change", () => form.requestSubmit());
  }
  for (const form of document.querySelectorAll("form[method=get]")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
    });
  }
  // The back button may show the page as it was left, with its empty fields switched off.
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[method=get] :disabled")) field.disabled = false;
  });

  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
  setInterval(tellAge, 1000);
  tellAge();
})();
