// Files of an upload: dropped, listed with their sizes, removed one by one, and sent with a progress bar.
// Without this script, the form works as any form with files does.
(function () {
  "use strict";
  const form = document.getElementById("import-form");
  const zone = form.querySelector(".drop-zone");
  const texts = zone.dataset;
  const input = zone.querySelector("input[type=file]");
  const list = document.getElementById("chosen-files");
  const sum = document.getElementById("chosen-sum");
  const errors = document.getElementById("upload-errors");
  const progress = document.getElementById("upload-progress");
  const button = form.querySelector("input[type=submit]");
  const language = document.documentElement.lang || undefined;
  let chosen = [];

  function size(bytes) {
    const step = [[1e9, "gigabyte"], [1e6, "megabyte"], [1e3, "kilobyte"]].find(([least]) => bytes >= least) || [1, "byte"];
    const style = { style: "unit", unit: step[1], unitDisplay: "long", maximumFractionDigits: 1 };
    return new Intl.NumberFormat(language, style).format(bytes / step[0]);
  }

  function fault(total) {
    if (chosen.length > Number(texts.mostFiles)) {
      return texts.tooMany;
    }
    return total > Number(texts.mostBytes) ? texts.tooLarge : "";
  }

  function row(file) {
    const item = document.createElement("li");
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "button";
    remove.textContent = texts.remove;
    remove.setAttribute("aria-label", `${texts.remove} ${file.name}`);
    remove.addEventListener("click", () => {
      choose(chosen.filter((one) => one !== file));
      (list.querySelector("button") || input).focus();
    });
    item.append(`${file.name} · ${size(file.size)} `, remove);
    return item;
  }

  // What the input has is what is sent, so a form without the rest of this script would send it too.
  function choose(files) {
    chosen = files;
    const transfer = new DataTransfer();
    chosen.forEach((file) => transfer.items.add(file));
    input.files = transfer.files;
    list.replaceChildren(...chosen.map(row));
    const total = chosen.reduce((bytes, file) => bytes + file.size, 0);
    const problem = fault(total);
    sum.textContent = chosen.length ? `${texts.together} ${size(total)}. ${problem}` : "";
    sum.classList.toggle("errornote", problem !== "");
    button.disabled = problem !== "";
  }

  // A file of the same name takes the place of the other one.
  function add(files) {
    const names = new Set(files.map((file) => file.name));
    choose([...chosen.filter((file) => !names.has(file.name)), ...files]);
  }

  function fail(messages) {
    const shown = document.createElement("ul");
    shown.className = "errorlist";
    shown.append(...messages.map((message) => {
      const item = document.createElement("li");
      item.textContent = message;
      return item;
    }));
    errors.replaceChildren(shown);
    progress.hidden = true;
    button.disabled = false;
  }

  function answer(request) {
    try {
      const told = JSON.parse(request.responseText);
      if (told.address) {
        window.location.assign(told.address);
        return;
      }
      fail(told.errors);
    } catch (error) {
      fail([texts.failed]);
    }
  }

  function show(event) {
    const share = event.lengthComputable ? event.loaded / event.total : 0;
    progress.querySelector("progress").value = share;
    const percent = new Intl.NumberFormat(language, { style: "percent" }).format(Math.floor(share * 100) / 100);
    progress.querySelector("span").textContent = share < 1 ? `${texts.uploading} ${percent}` : texts.checking;
  }

  function send(event) {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", window.location.href);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", show);
    request.addEventListener("load", () => answer(request));
    request.addEventListener("error", () => fail([texts.failed]));
    button.disabled = true;
    errors.replaceChildren();
    progress.hidden = false;
    request.send(new FormData(form));
  }

  zone.querySelector(".drop-hint").hidden = false;
  input.addEventListener("change", () => add(Array.from(input.files)));
  form.addEventListener("submit", send);
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    add(Array.from(event.dataTransfer.files));
  });
  // A browser may have kept the files of a page that one returns to.
  add(Array.from(input.files));
})();
