// Draws each chart again where Vega has loaded, for its tooltips. The server's SVG stays if it fails.
(() => {
  "use strict";
  if (typeof vegaEmbed !== "function") return;
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    defaultStyle: false, // the content security policy allows no <style>
    ast: true, // nor code made from strings: expressions are interpreted
    tooltip: { theme: "assay", disableDefaultStyle: true },
  };
  const draw = async (holder) => {
    if (holder.dataset.drawn || holder.clientWidth === 0) return;
    holder.dataset.drawn = "started";
    const data = document.getElementById(holder.dataset.spec);
    const target = document.createElement("div");
    target.className = "chart-live";
    try {
      const spec = JSON.parse(data.textContent);
      spec.width = holder.clientWidth;
      holder.append(target);
      const result = await vegaEmbed(target, spec, options);
      holder.querySelector(":scope > svg").remove();
      target.classList.add("chart-ready");
      holder.dataset.drawn = "done";
      let width = holder.clientWidth;
      new ResizeObserver(() => {
        if (holder.clientWidth === 0 || holder.clientWidth === width) return;
        width = holder.clientWidth;
        result.view.width(width).runAsync();
      }).observe(holder);
    } catch (error) {
      target.remove();
      holder.dataset.drawn = "failed";
      console.warn("the chart stays as the server drew it:", error);
    }
  };
  const drawAll = () => document.querySelectorAll("[data-spec]").forEach(draw);
  drawAll();
  matchMedia("(max-width: 640px)").addEventListener("change", drawAll);
})();
