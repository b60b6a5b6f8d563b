// Draws the charts of a page in the colours of the theme. A click on a bar or a point opens its address.
(function () {
  "use strict";
  const canvases = Array.from(document.querySelectorAll("canvas[data-chart]"));
  const language = document.documentElement.lang || "en";
  // The ticks of exchange rates differ in the third decimal, and a tick may be 0.30000000000000004.
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 6 });
  // Colours alone do not tell lines apart.
  const points = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "cross", "dash"];
  const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 6], [1, 3], [10, 2, 2, 2, 2, 2]];
  // So many pixels of height have each lying bar and the axis below them.
  const barHeight = 22;
  const axisHeight = 48;
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

  function isPowerOfTen(number) {
    const power = Math.log10(number);
    return Math.abs(power - Math.round(power)) < 1e-9;
  }

  // A logarithmic axis starts at the power of ten below the smallest number, so that its bar has a length. It has the
  // powers of ten as ticks: others stand too close to each other to be read.
  function logarithmicAxis(series) {
    const numbers = series.flatMap((one) => one.values).filter((value) => value > 0);
    return {
      type: "logarithmic",
      min: 10 ** (Math.ceil(Math.log10(Math.min(...numbers))) - 1),
      afterBuildTicks: (axis) => {
        axis.ticks = axis.ticks.filter((tick) => isPowerOfTen(tick.value));
      },
    };
  }

  function numberAxis(canvas, drawn, lines) {
    const ticks = { ...lines.ticks, callback: (value) => short.format(value) };
    const type = logarithmic.has(canvas.id)
      ? logarithmicAxis(drawn.series)
      : { type: "linear", beginAtZero: drawn.isFromZero };
    return { ...lines, ...type, ticks };
  }

  function chart(canvas) {
    const drawn = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const lines = { grid: { color: color("--hairline-color") }, ticks: { color: color("--body-fg") } };
    const numbers = numberAxis(canvas, drawn, lines);
    // Each lying bar has its name.
    const names = { ...lines, grid: { display: false }, ticks: { ...lines.ticks, autoSkip: !drawn.isAcross } };
    if (drawn.isAcross) {
      canvas.parentElement.style.minHeight = `${drawn.labels.length * barHeight + axisHeight}px`;
    }
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
            labels: { color: color("--body-fg"), usePointStyle: drawn.isLine, boxHeight: 7, boxWidth: 12 },
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
