// The clipboard gets the full value of each rounded number, also of one that only has the focus.
(function () {
  "use strict";

  function full(number) {
    return number.dataset.full;
  }

  document.addEventListener("copy", (event) => {
    const selection = window.getSelection();
    if (selection.isCollapsed) {
      const focused = document.activeElement;
      if (focused !== null && focused.matches(".rounded")) {
        event.clipboardData.setData("text/plain", full(focused));
        event.preventDefault();
      }
      return;
    }
    const start = selection.anchorNode.parentElement;
    const only = start !== null && start.closest(".rounded");
    if (only && only.contains(selection.focusNode)) {
      event.clipboardData.setData("text/plain", full(only));
      event.preventDefault();
      return;
    }
    // The browser copies tables with tabs and line ends: let it, with the full values in the place of the short ones.
    const shown = Array.from(document.querySelectorAll(".rounded > span"), (span) => span.firstChild);
    const replaced = shown.filter((text) => selection.containsNode(text, true));
    const texts = replaced.map((text) => text.data);
    replaced.forEach((text) => { text.data = full(text.parentElement.parentElement); });
    window.setTimeout(() => replaced.forEach((text, place) => { text.data = texts[place]; }));
  });
})();
