// Names the fields of choices by search for screen readers: select2 does not know the labels of the form.
(function () {
  "use strict";

  function nameOf(select) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    return label === null ? "" : label.textContent.replace(/:\s*$/, "").trim();
  }

  function nameAll() {
    for (const select of document.querySelectorAll("select.admin-autocomplete")) {
      const shown = document.getElementById(`select2-${select.id}-container`);
      const name = nameOf(select);
      if (shown !== null && name) {
        shown.setAttribute("aria-label", name);
      }
    }
  }

  // Behind the function of Django that turns the fields into searches.
  if (window.django && window.django.jQuery) {
    window.django.jQuery(nameAll);
  }
})();
