// Shortcuts on every page: ? shows them, g and a letter goes to a page, / searches, p pauses. Never while typing.
"use strict";

(() => {
  const SECOND_MS = 1500; // how long after g a letter belongs to it
  const dialog = document.getElementById("keys");
  let goingSince = -Infinity;

  function isTyping(event) {
    return event.ctrlKey || event.metaKey || event.altKey || event.isComposing
      || Boolean(event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]"));
  }

  function open() {
    if (!dialog.open) dialog.showModal();
  }

  function search() {
    const field = document.querySelector("input[type=search]");
    if (!field) {
      location.assign("/documents#search");
      return;
    }
    field.focus();
    field.select();
  }

  // Before the page's own keys: the letter after g is nobody else's.
  window.addEventListener("keydown", (event) => {
    if (isTyping(event) || performance.now() - goingSince > SECOND_MS) return;
    if (["Shift", "CapsLock"].includes(event.key)) return;
    goingSince = -Infinity;
    const link = dialog.querySelector(`a[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    event.stopImmediatePropagation();
    event.preventDefault();
    if (link) location.assign(link.href);
  }, true);

  // After them: a page that has a use for a key keeps it.
  window.addEventListener("keydown", (event) => {
    if (isTyping(event) || event.defaultPrevented || event.repeat || dialog.open) return;
    if (event.key === "?" || event.key === "？") open();
    else if (event.key === "/") search();
    else if (event.key === "g") goingSince = performance.now();
    else if (event.key === "p") document.dispatchEvent(new CustomEvent("console:pause"));
    else if (event.key === "Escape") closeMenus(null);
    else return;
    event.preventDefault();
  });

  // Menus work without this file; with it, they close like menus.
  function closeMenus(but) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu === but) continue;
      const hadFocus = menu.contains(document.activeElement);
      menu.open = false;
      if (hadFocus) menu.querySelector("summary").focus();
    }
  }
  document.addEventListener("click", (event) => closeMenus(event.target.closest?.("details.menu") ?? null));
  document.addEventListener("focusin", (event) => closeMenus(event.target.closest?.("details.menu") ?? null));

  for (const button of document.querySelectorAll("[data-opens-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      closeMenus(null);
      open();
    });
  }
  if (location.hash === "#search") document.querySelector("input[type=search]")?.focus();
})();
