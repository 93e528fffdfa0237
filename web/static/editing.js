// The live preview of forms that edit a definition. Without this file the Preview button asks for it.
"use strict";

(() => {
  const preview = () => document.getElementById("preview");
  const editor = document.getElementById("editor");

  function lost(isLost) {
    const notice = preview()?.querySelector(".preview-lost");
    if (notice) notice.hidden = !isLost;
    preview()?.classList.remove("is-waiting");
  }

  document.addEventListener("htmx:before:request", (event) => {
    if (event.target === editor) preview()?.classList.add("is-waiting");
  });
  document.addEventListener("htmx:error", () => lost(true));
  document.addEventListener("htmx:response:error", () => lost(true));
  document.addEventListener("htmx:after:swap", () => {
    lost(false);
    // A field is marked as wrong as long as something stands beside it.
    for (const fault of document.querySelectorAll(".fault[id]")) {
      const field = document.getElementById(fault.id.replace("fault-", "field-"));
      if (field && fault.textContent.trim()) field.setAttribute("aria-invalid", "true");
      else field?.removeAttribute("aria-invalid");
    }
  });
  document.documentElement.dataset.editing = "ready";
})();
