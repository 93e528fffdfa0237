// The labelling page by keyboard. Everything it does can be done with the mouse and without this file.
"use strict";

(() => {
  const page = () => document.getElementById("labelling");
  const form = () => document.getElementById("answer");
  let shownAt = performance.now();
  let hiddenSince = document.hidden ? performance.now() : null;
  let awayMs = 0; // while the page could not be seen, nobody was thinking about it
  let isHalfConfirmed = false;
  let isSent = false;

  function begin() {
    shownAt = performance.now();
    awayMs = 0;
    isHalfConfirmed = false;
    isSent = false;
  }

  function seconds() {
    const away = awayMs + (hiddenSince === null ? 0 : performance.now() - hiddenSince);
    return Math.max(0, (performance.now() - shownAt - away) / 1000).toFixed(1);
  }

  function say(text) {
    const notice = page()?.querySelector(".notice");
    if (!notice) return;
    notice.textContent = text;
    notice.hidden = !text;
  }

  const questions = () => [...(form()?.querySelectorAll("fieldset") ?? [])];
  const isAnswered = (question) => question.querySelector("input:checked") !== null;
  const active = () => form()?.querySelector("fieldset.active");

  function activate(question) {
    for (const one of questions()) one.classList.toggle("active", one === question);
  }

  function answer(choice) {
    choice.checked = true;
    isHalfConfirmed = false;
    say("");
    const open = questions().find((question) => !isAnswered(question));
    activate(open ?? choice.closest("fieldset"));
  }

  function clear() {
    const chosen = [...(form()?.querySelectorAll("input[type=radio]:checked") ?? [])];
    for (const one of chosen) one.checked = false;
    if (chosen.length) activate(questions()[0]);
    return chosen.length > 0;
  }

  function goBack() {
    const all = questions();
    const at = all.indexOf(active());
    if (at > 0) activate(all[at - 1]);
  }

  // Half an answer is one too, but not by accident: the first Enter asks, the second sends.
  function mayBeSent() {
    const open = questions().filter((question) => !isAnswered(question));
    if (open.length === questions().length) {
      say(page().dataset.none);
      return false;
    }
    if (open.length && !isHalfConfirmed) {
      isHalfConfirmed = true;
      activate(open[0]);
      say(page().dataset.half);
      return false;
    }
    return true;
  }

  function choiceFor(key) {
    const isDigit = /^[1-9]$/.test(key);
    const where = isDigit ? active() : form();
    return where?.querySelector(`input[data-key="${key}"]`);
  }

  function toggle(selector) {
    const details = page()?.querySelector(selector);
    if (details) details.open = !details.open;
  }

  // An input method may swallow the character; then the place of the key on the keyboard tells it.
  function keyOf(event) {
    if (/^[a-z0-9?？]$/i.test(event.key)) return event.key === "？" ? "?" : event.key.toUpperCase();
    const place = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(event.code);
    if (place && (event.key === "Process" || event.key === "Unidentified")) return place[1];
    return event.key;
  }

  function press(key) {
    if (key === "Enter") return form()?.requestSubmit() ?? true;
    if (key === "Backspace") return goBack() ?? true;
    if (key === "U") return clear() || page().querySelector("form.undo")?.requestSubmit() || true;
    if (key === "S") return document.getElementById("skip")?.requestSubmit() ?? true;
    if (key === "V") return toggle("details.verdict") ?? true;
    if (key === "?") return toggle("details.help") ?? true;
    const choice = /^[1-9A-Z]$/.test(key) ? choiceFor(key) : null;
    if (choice) answer(choice);
    return Boolean(choice);
  }

  document.addEventListener("keydown", (event) => {
    const isTyped = event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
    const isOther = event.target.closest?.("a, button, summary") && event.key === "Enter";
    if (!page() || isTyped || isOther || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.repeat) {
      if (event.key === "Enter") event.preventDefault(); // a key held down answers one document, not many
      return;
    }
    if (press(keyOf(event))) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("#answer input[type=radio]")) answer(event.target);
  });

  // Before htmx sees it: what must not be sent yet goes no further.
  document.addEventListener(
    "submit",
    (event) => {
      if (!page()?.contains(event.target)) return;
      if (event.target.id === "answer" && !isSent && !mayBeSent()) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      if (isSent) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      isSent = event.target.matches("#answer, #skip, form.undo");
      const field = form()?.elements.namedItem("seconds");
      if (field) field.value = seconds();
    },
    true,
  );

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenSince = performance.now();
    else if (hiddenSince !== null) {
      awayMs += performance.now() - hiddenSince;
      hiddenSince = null;
    }
  });

  function lost() {
    isSent = false;
    say(page()?.dataset.lost ?? "");
  }
  document.addEventListener("htmx:error", lost);
  document.addEventListener("htmx:response:error", lost);
  document.addEventListener("htmx:after:swap", () => {
    begin();
    page()?.querySelector(".whole")?.scrollTo(0, 0);
  });
  window.addEventListener("pageshow", begin);
  document.documentElement.dataset.keys = "ready";
})();
