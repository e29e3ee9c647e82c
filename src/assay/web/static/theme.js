// Runs before the first paint, so that a chosen theme never flashes the other one.
(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const names = { auto: "System theme", light: "Light theme", dark: "Dark theme" };
  const stored = () => {
    try {
      const theme = localStorage.getItem("assay-theme");
      return themes.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // storage may be switched off
    }
  };
  const show = (theme) => {
    root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.title = `${names[theme]}; click to change`;
      button.setAttribute("aria-label", `${names[theme]}. Change theme`);
    }
  };
  show(stored());
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
        try {
          localStorage.setItem("assay-theme", next);
        } catch {
          // the choice then lasts for this page only
        }
        show(next);
      });
    }
    show(root.dataset.theme);
  });
})();
