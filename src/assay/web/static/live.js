// Renews the part of a page that says `data-live="SECONDS"`, while somebody can see it.
(() => {
  "use strict";
  const find = (root) => root.querySelector("[data-live]");
  const part = find(document);
  if (!part) return;
  const pause = 1000 * Number(part.dataset.live);
  const say = (text) => {
    for (const note of document.querySelectorAll("[data-live-note]")) note.textContent = text;
  };
  const isRead = () => {
    const chosen = getSelection();
    return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
  };
  const renew = async () => {
    if (document.hidden || isRead() || part.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      part.replaceChildren(...find(page).childNodes);
      say(`Renewed every ${pause / 1000} s.`);
    } catch (error) {
      say(`Not renewed: ${error.message}. Trying again.`);
    }
  };
  say(`Renewed every ${pause / 1000} s.`);
  setInterval(renew, pause);
  document.addEventListener("visibilitychange", renew);
})();
