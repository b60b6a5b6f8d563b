// Draws the tables of a page as charts. A click on a bar opens its address.
(function () {
  "use strict";
  const data = document.getElementById("chart-data");
  if (data === null) {
    return;
  }
  const groups = JSON.parse(data.textContent);
  const short = new Intl.NumberFormat("en", { notation: "compact" });
  const long = new Intl.NumberFormat("en");
  let charts = [];

  function color(name) {
    return getComputedStyle(document.body).getPropertyValue(name).trim();
  }

  function chart(canvas) {
    const bars = groups[canvas.dataset.groups];
    const amount = canvas.dataset.amount;
    const isAcross = canvas.dataset.groups !== "period";
    const lines = { grid: { color: color("--hairline-color") }, ticks: { color: color("--body-fg") } };
    const numbers = { ...lines, beginAtZero: true, ticks: { ...lines.ticks, callback: (tick) => short.format(tick) } };
    const names = { ...lines, grid: { display: false } };
    return new Chart(canvas, {
      type: "bar",
      data: {
        labels: bars.map((bar) => bar.name),
        datasets: [{ data: bars.map((bar) => Number(bar[amount])), backgroundColor: color(`--chart-${amount}`), maxBarThickness: 40 }],
      },
      options: {
        animation: false,
        indexAxis: isAcross ? "y" : "x",
        maintainAspectRatio: false,
        onClick: (event, found) => found.length && window.location.assign(bars[found[0].index].address),
        onHover: (event, found) => { canvas.style.cursor = found.length ? "pointer" : ""; },
        plugins: {
          legend: { display: false },
          tooltip: { callbacks: { label: (item) => long.format(item.raw) } },
        },
        scales: isAcross ? { x: numbers, y: names } : { x: names, y: numbers },
      },
    });
  }

  function draw() {
    charts.forEach((drawn) => drawn.destroy());
    charts = Array.from(document.querySelectorAll("canvas[data-groups]"), chart);
  }

  // The charts use the colours of the theme, which the user may switch at any time.
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
