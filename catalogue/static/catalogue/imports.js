// Follows the files of an upload while any of them waits, and shows the page anew once one is further.
(function () {
  "use strict";
  const form = document.getElementById("upload");
  const jobs = Array.from(form.querySelectorAll("[data-job]"));
  const isWaiting = (job) => job.querySelector("progress") !== null;
  const pause = 1000;

  function show(answer) {
    document.getElementById("no-worker").hidden = answer.has_worker || !jobs.some(isWaiting);
    for (const job of jobs.filter(isWaiting)) {
      const told = answer.jobs[job.dataset.job];
      job.querySelector("progress").value = told.share;
      job.querySelector(".progress-text").textContent = told.text;
    }
    return jobs.some((job) => answer.jobs[job.dataset.job].state !== job.dataset.state);
  }

  async function follow() {
    try {
      const response = await fetch(form.dataset.progress, { headers: { Accept: "application/json" } });
      if (response.redirected || response.status === 403 || response.status === 404) {
        return; // signed out, or nothing to follow: the page says so when it is loaded again
      }
      if (response.ok && show(await response.json())) {
        window.location.reload();
        return;
      }
    } catch (error) {
      // The server is out of reach: perhaps it is back in a moment.
    }
    window.setTimeout(follow, pause);
  }

  if (jobs.some(isWaiting)) {
    window.setTimeout(follow, pause);
  }
})();
