/* Draws the figures that the server made, in the page's own colours. */
"use strict";

(() => {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);

  function colour(token) {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  }

  function painted(value) {
    if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(painted);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, painted(inner)]));
    return value;
  }

  const drawn = new WeakMap();
  const NARROW = 480;

  function forPhones(layout) {
    layout.annotations = (layout.annotations ?? []).slice(0, 1);
    layout.yaxis.title = layout.xaxis.title = undefined;
    layout.margin = { ...layout.margin, l: Math.min(layout.margin.l, 36) };
  }

  function draw(force) {
    for (const place of document.querySelectorAll("[data-chart]")) {
      const source = document.getElementById(place.dataset.chart);
      if (!source || (!force && drawn.get(place) === source.textContent)) continue;
      drawn.set(place, source.textContent);
      const figure = painted(JSON.parse(source.textContent));
      figure.layout.font.family = getComputedStyle(document.body).fontFamily;
      if (figure.layout.height) place.style.height = `${figure.layout.height}px`;
      if (place.clientWidth < NARROW) forPhones(figure.layout);
      window.Plotly.react(place, figure.data, { ...figure.layout, uirevision: "kept" }, { displayModeBar: false, responsive: true });
    }
  }

  draw(false);
  document.addEventListener("htmx:after:swap", () => draw(false));
  matchMedia("(max-width: 640px)").addEventListener("change", () => draw(true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
})();
