"use strict";
// Draws each plot of the report with uPlot, again when the width or the colour scheme changes.
(() => {
  const plots = JSON.parse(document.getElementById("data").textContent).plots;
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => value == null ? "" : Math.abs(value) >= 1e6
    ? (value / 1e6).toLocaleString("en", { maximumFractionDigits: 1 }) + "M"
    : Math.abs(value) >= 1e4
      ? (value / 1e3).toLocaleString("en", { maximumFractionDigits: 1 }) + "k"
      : value.toLocaleString("en", { maximumSignificantDigits: 4 });

  function options(plot, width) {
    const axis = {
      stroke: colour("--faint"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
    };
    const x = { ...axis, label: plot.x_label, labelSize: 20 };
    const upTo = (index) => Number.isInteger(index) ? plot.x[index] == null ? "" : Number(plot.x[index].toPrecision(3)).toLocaleString("en") : "";
    if (plot.bars) x.values = (_, splits) => splits.map(upTo);
    const y = { ...axis, label: plot.unit, labelSize: 20, size: 62 };
    // On a logarithmic scale uPlot has more ticks than there is room for: name tens only.
    y.values = plot.logarithmic
      ? (_, splits) => splits.map((v) => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6) ? short(v) : "")
      : (_, splits) => splits.map(short);
    const lines = Object.keys(plot.series).map((label, number) => {
      const stroke = colour(`--s${number % 8 + 1}`);
      const line = { label, stroke, width: 2, value: (_, v) => short(v), points: { show: plot.x.length < 12 } };
      if (number >= 8) line.dash = [6, 4];
      if (plot.bars) Object.assign(line, {
        fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.9, 60] }), points: { show: false },
      });
      return line;
    });
    return {
      width,
      height: Math.max(220, Math.min(320, Math.round(width * 0.5))),
      scales: {
        x: { time: false, range: plot.bars ? [-0.6, plot.x.length - 0.4] : undefined },
        y: plot.logarithmic ? { distr: 3 } : { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] },
      },
      axes: [x, y],
      series: [{ label: plot.x_label, value: (_, v) => v == null ? "" : plot.bars ? upTo(v) : short(v) }, ...lines],
    };
  }

  function draw(plot) {
    const place = document.getElementById(plot.name);
    if (!place || !place.clientWidth) return;
    drawn.get(plot.name)?.destroy();
    const x = plot.bars ? plot.x.map((_, index) => index) : plot.x;
    // A logarithm has no zero: what isn't above it isn't drawn.
    const values = Object.values(plot.series).map(
      (series) => plot.logarithmic ? series.map((v) => v > 0 ? v : null) : series);
    drawn.set(plot.name, new uPlot(options(plot, place.clientWidth), [x, ...values], place));
  }

  const drawAll = () => { plots.forEach(draw); document.body.dataset.drawn = drawn.size; };
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawAll(); } });
})();
