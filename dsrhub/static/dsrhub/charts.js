// Draws the charts of a page in the colours of the theme. A click on a bar or a point opens its address.
(function () {
  "use strict";
  const canvases = Array.from(document.querySelectorAll("canvas[data-chart]"));
  const language = document.documentElement.lang || "en";
  const short = new Intl.NumberFormat(language, { notation: "compact" });
  // Colours alone do not tell lines apart.
  const points = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "cross", "dash"];
  const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 6], [1, 3], [10, 2, 2, 2, 2, 2]];
  const logarithmic = new Set();
  let charts = [];

  function color(name) {
    return getComputedStyle(document.body).getPropertyValue(name).trim();
  }

  function dataset(series, place, isLine) {
    const own = color(`--chart-${((series.color - 1) % 8) + 1}`);
    const shared = { label: series.name, data: series.values, backgroundColor: own, borderColor: own };
    if (!isLine) {
      return { ...shared, maxBarThickness: 40 };
    }
    const style = { pointStyle: points[place % points.length], borderDash: dashes[place % dashes.length] };
    return { ...shared, ...style, pointRadius: 4, borderWidth: 2, spanGaps: false };
  }

  function chart(canvas) {
    const drawn = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const lines = { grid: { color: color("--hairline-color") }, ticks: { color: color("--body-fg") } };
    const tick = (value) => short.format(value);
    const type = logarithmic.has(canvas.id) ? "logarithmic" : "linear";
    const numbers = { ...lines, type, beginAtZero: drawn.isFromZero, ticks: { ...lines.ticks, callback: tick } };
    const names = { ...lines, grid: { display: false } };
    return new Chart(canvas, {
      type: drawn.isLine ? "line" : "bar",
      data: {
        labels: drawn.labels,
        datasets: drawn.series.map((series, place) => dataset(series, place, drawn.isLine)),
      },
      options: {
        animation: false,
        indexAxis: drawn.isAcross ? "y" : "x",
        maintainAspectRatio: false,
        interaction: { mode: "nearest", axis: drawn.isAcross ? "y" : "x", intersect: !drawn.isLine },
        onClick: (event, found) => {
          const address = found.length && drawn.addresses[found[0].index];
          if (address) {
            window.location.assign(address);
          }
        },
        onHover: (event, found) => {
          canvas.style.cursor = found.length && drawn.addresses[found[0].index] ? "pointer" : "";
        },
        plugins: {
          legend: {
            display: drawn.series.length > 1,
            labels: { color: color("--body-fg"), usePointStyle: drawn.isLine },
          },
          tooltip: {
            callbacks: {
              label: (item) => {
                const series = drawn.series[item.datasetIndex];
                const text = series.texts[item.dataIndex];
                return drawn.series.length > 1 ? `${series.name}: ${text}` : text;
              },
            },
          },
        },
        scales: drawn.isAcross ? { x: numbers, y: names } : { x: names, y: numbers },
      },
    });
  }

  function draw() {
    charts.forEach((drawn) => drawn.destroy());
    charts = canvases.map(chart);
  }

  for (const box of document.querySelectorAll("input[data-logarithmic]")) {
    box.addEventListener("change", () => {
      logarithmic[box.checked ? "add" : "delete"](box.dataset.logarithmic);
      draw();
    });
    if (box.checked) {
      logarithmic.add(box.dataset.logarithmic); // The browser keeps the box when the page is reloaded.
    }
  }
  // The user may switch the theme at any time.
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
