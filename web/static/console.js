// Live refresh, and forms that submit themselves. Everything works without this file except the refresh.
"use strict";

(() => {
  const EVERY_MS = 5000;
  const button = document.querySelector("button.live");
  let isPaused = false;

  function refresh() {
    if (!isPaused && !document.hidden && document.getElementById("live")) {
      document.body.dispatchEvent(new CustomEvent("refresh"));
    }
  }

  button?.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(!isPaused));
    button.textContent = isPaused ? button.dataset.off : button.dataset.on;
    refresh();
  });

  // A lost server or a failed query: the old figures stay, and a line says how old they are.
  function say(isLost) {
    const notice = document.querySelector(".notice.lost");
    if (notice) notice.hidden = !isLost;
  }
  document.addEventListener("htmx:error", () => say(true));
  document.addEventListener("htmx:response:error", () => say(true));
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.response?.raw?.ok) say(false);
  });

  for (const form of document.querySelectorAll("form[data-submits-itself]")) {
    form.classList.add("scripted");
    form.addEventListener("change", () => form.requestSubmit());
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
    });
  }
  // The back button may show the page as it was left, with its empty fields switched off.
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[data-submits-itself] :disabled")) field.disabled = false;
  });

  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
})();
