// Checks a sample again when the form of its template changes. Without this script, the button "Check again" does it.
(function () {
  "use strict";
  const form = document.getElementById("template-form");
  const shown = document.getElementById("sample-shown");
  const status = document.getElementById("check-status");
  // Fields of several columns, in which the first one with a value counts.
  const several = new Set([
    "dsp_id", "title", "artists", "isrc", "iswc", "composers", "label", "icpn", "use_type", "transaction_id",
  ]);
  const pause = 400;
  let running = null;
  let timer = null;

  if (!shown) {
    return;
  }

  function folded(text) {
    return text.trim().replace(/\s+/g, " ").toLowerCase();
  }

  function lines(input) {
    return input.value.split(/\r?\n/).filter((line) => line.trim() !== "");
  }

  // The headings of the sample: a field has one of them, and may have other headings of other files.
  function headings() {
    return new Set(Array.from(shown.querySelectorAll("[name^=heading-]"), (input) => folded(input.value)));
  }

  // The column that a drop-down gives to a field goes into the field's own input, which is what is saved.
  function move(select) {
    const number = select.name.split("-")[1];
    const heading = form.elements[`heading-${number}`].value;
    const was = form.elements[`was-${number}`];
    const source = form.elements[`fields-${was.value}-columns`];
    const target = form.elements[`fields-${select.value}-columns`];
    if (source) {
      source.value = lines(source).filter((line) => folded(line) !== folded(heading)).join("\n");
    }
    if (target) {
      const here = headings();
      const isSeveral = several.has(select.value);
      const before = lines(target).filter((line) => isSeveral || !here.has(folded(line)));
      const isLast = isSeveral && select.value !== "dsp_id";
      target.value = (isLast ? [...before, heading] : [heading, ...before]).join("\n");
      if (select.value !== "dsp_id") {
        form.elements[`fields-${select.value}-constant`].value = "";
      }
    }
    was.value = select.value;
  }

  function map(input) {
    const number = input.name.split("-")[2];
    const field = form.elements[`map-field-${number}`].value;
    const value = form.elements[`map-value-${number}`].value;
    const values = form.elements[`fields-${field}-values`];
    if (input.value.trim() !== "" && values) {
      const others = lines(values).filter((line) => folded(line.split("=>").slice(0, -1).join("=>")) !== folded(value));
      values.value = [...others, `${value} => ${input.value.trim()}`].join("\n");
      input.value = "";
    }
  }

  async function check() {
    if (running) {
      running.abort();
    }
    running = new AbortController();
    const focused = document.activeElement && shown.contains(document.activeElement) ? document.activeElement.id : "";
    const open = shown.querySelector("details[open]") !== null;
    status.textContent = form.dataset.checking;
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), signal: running.signal });
      if (!answer.ok || answer.redirected) {
        throw new Error(answer.statusText);
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const left = shown.querySelector(".wide-table") ? shown.querySelector(".wide-table").scrollLeft : 0;
      shown.replaceChildren(...page.body.childNodes);
      const table = shown.querySelector(".wide-table");
      if (table) {
        table.scrollLeft = left;
      }
      const details = shown.querySelector("details");
      if (details) {
        details.open = open;
      }
      if (focused && document.getElementById(focused)) {
        document.getElementById(focused).focus();
      }
      const heading = shown.querySelector("#check-result h3");
      status.textContent = heading ? heading.textContent : "";
    } catch (error) {
      if (error.name !== "AbortError") {
        status.textContent = form.dataset.failed;
      }
    }
  }

  form.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.name || input.name === "name" || input.name === "is_active") {
      return;
    }
    if (input.name.startsWith("column-")) {
      move(input);
    } else if (input.name.startsWith("map-to-")) {
      map(input);
    }
    window.clearTimeout(timer);
    timer = window.setTimeout(check, pause);
  });
})();
