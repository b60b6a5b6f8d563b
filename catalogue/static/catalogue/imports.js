// Shows the progress of an upload while a file waits for a worker, and reloads the page when a state changes.
(function () {
  "use strict";
  const form = document.getElementById("upload");
  const jobs = Array.from(form.querySelectorAll("[data-job]"));
  const isWaiting = (job) => job.querySelector("progress") !== null;
  const pause = 1000;

  function show(answer) {
    document.getElementById("no-worker").hidden = answer.has_worker || !jobs.some(isWaiting);
    for (const job of jobs.filter(isWaiting)) {
      const progress = answer.jobs[job.dataset.job];
      job.querySelector("progress").value = progress.share;
      job.querySelector(".progress-text").textContent = progress.text;
    }
    return jobs.some((job) => answer.jobs[job.dataset.job].state !== job.dataset.state);
  }

  async function poll() {
    try {
      const response = await fetch(form.dataset.progress, { headers: { Accept: "application/json" } });
      if (response.redirected || response.status === 403 || response.status === 404) {
        return; // Signed out, or the upload is gone: the page says so when it is reloaded.
      }
      if (response.ok && show(await response.json())) {
        window.location.reload();
        return;
      }
    } catch (error) {
      // The server is out of reach: retry after the pause.
    }
    window.setTimeout(poll, pause);
  }

  if (jobs.some(isWaiting)) {
    window.setTimeout(poll, pause);
  }
})();
