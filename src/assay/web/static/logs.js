// The Logs page by keyboard and mouse. All of it can be done by links and forms as well.
const RENEW_MS = 30_000;
const PART_OF_TIME = 30; // what takes a second to count is counted every half minute, and no more often
const page = document.querySelector(".explore");
const find = (selector, root = document) => root.querySelector(selector);
const rows = [...document.querySelectorAll("tr.log")];
const ticks = rows.map((row) => find("input[name=id]", row));
let current = -1;

// --- the list by keyboard ---------------------------------------------------------------------

const goTo = (place) => {
  if (!rows.length) return;
  rows[current]?.classList.remove("current");
  current = Math.min(Math.max(place, 0), rows.length - 1);
  rows[current].classList.add("current");
  rows[current].scrollIntoView({ block: "nearest" });
  find("a.row-link", rows[current]).focus({ preventScroll: true });
};
const open = (place) => find("a.row-link", rows[place])?.click();

const bar = find("#ticked");
const every = find("#tick-all");
let lastTicked = -1;
const showTicked = () => {
  const count = ticks.filter((box) => box.checked).length;
  bar.hidden = count === 0;
  find("#ticked-count").textContent = `${count} ticked:`;
  every.checked = count > 0 && count === ticks.length;
  every.indeterminate = count > 0 && count < ticks.length;
};
const tick = (place, range) => {
  const box = ticks[place];
  if (range && lastTicked >= 0) {
    const [from, to] = [Math.min(lastTicked, place), Math.max(lastTicked, place)];
    for (const other of ticks.slice(from, to + 1)) other.checked = ticks[lastTicked].checked;
  } else box.checked = !box.checked;
  lastTicked = place;
  showTicked();
};
const tickAll = (on) => {
  for (const box of ticks) box.checked = on;
  showTicked();
};

if (bar) {
  every.hidden = false;
  every.addEventListener("change", () => tickAll(every.checked));
  ticks.forEach((box, place) =>
    box.addEventListener("click", (event) => {
      if (event.shiftKey && lastTicked >= 0) {
        box.checked = !box.checked;
        tick(place, true);
      } else {
        lastTicked = place;
        showTicked();
      }
    }),
  );
  rows.forEach((row, place) =>
    row.addEventListener("click", (event) => {
      if (event.target.closest("a, input, button, label")) return;
      if (event.target.closest(".tick")) return tick(place, event.shiftKey);
      const chosen = getSelection();
      if (!chosen || chosen.isCollapsed) open(place);
    }),
  );
  showTicked();
}

const keys = find("#keys");
const pressKey = (key) => [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
const ACTIONS = {
  "/": () => {
    const input = find("#filter input[name=q]");
    input.focus();
    input.select();
  },
  j: () => goTo(current + 1),
  k: () => goTo(current - 1),
  o: () => current >= 0 && open(current),
  x: () => current >= 0 && tick(current, false),
  X: () => current >= 0 && tick(current, true),
  a: () => rows.length && tickAll(!ticks.every((box) => box.checked)),
  e: () => bar && !bar.hidden && pressKey("e").click(),
  r: () => bar && !bar.hidden && pressKey("r").click(),
  "[": () => pressKey("[")?.click(),
  "]": () => pressKey("]")?.click(),
  "?": () => keys.showModal(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (find("details.pop[open]")) for (const pop of document.querySelectorAll("details.pop[open]")) pop.open = false;
    else if (bar) tickAll(false);
    return;
  }
  if (typing || event.defaultPrevented || !Object.hasOwn(ACTIONS, event.key)) return;
  event.preventDefault();
  ACTIONS[event.key]();
});
document.addEventListener("click", (event) => {
  for (const pop of document.querySelectorAll("details.pop[open]")) if (!pop.contains(event.target)) pop.open = false;
});

// --- facets -----------------------------------------------------------------------------------

const remembered = (name) => {
  try {
    return localStorage.getItem(`assay-facet-${name}`);
  } catch {
    return null; // storage may be switched off
  }
};
const foldFacets = () => {
  for (const facet of document.querySelectorAll("details.facet")) {
    if (remembered(facet.dataset.facet) === "closed") facet.open = false;
    facet.addEventListener("toggle", () => {
      try {
        localStorage.setItem(`assay-facet-${facet.dataset.facet}`, facet.open ? "open" : "closed");
      } catch {
        // it then stays so for this page only
      }
    });
  }
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.choose");
  if (!link || !event.shiftKey) return;
  event.preventDefault();
  location.assign(link.dataset.exclude);
});

// The bars are one stop of the keyboard: the arrows go from one to the next.
document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.(".timeline a");
  if (!bar || event.ctrlKey || event.metaKey || event.altKey) return;
  const bars = [...bar.parentElement.querySelectorAll("a")];
  const at = bars.indexOf(bar);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = bars[Math.min(Math.max(to, 0), bars.length - 1)];
  bar.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
});

// --- a stretch of time ------------------------------------------------------------------------

const brushing = () => {
  const strip = find(".over-time .strip");
  if (!strip) return;
  const { start, step, bars, from: begins, until: ends } = strip.closest(".over-time").dataset;
  const brush = find(".brush", strip);
  let from = null;
  let dragged = false;
  const barAt = (event) => {
    const box = strip.getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * bars), 0), bars - 1);
  };
  const place = (first, last) => {
    brush.hidden = false;
    brush.style.left = `${(100 * first) / bars}%`;
    brush.style.width = `${(100 * (last - first + 1)) / bars}%`;
  };
  strip.addEventListener("dragstart", (event) => event.preventDefault());
  strip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = barAt(event);
    dragged = false;
  });
  strip.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = barAt(event);
    if (!dragged && to === from) return;
    if (!dragged) strip.setPointerCapture(event.pointerId);
    dragged = true;
    place(Math.min(from, to), Math.max(from, to));
  });
  strip.addEventListener("pointerup", (event) => {
    if (from !== null && dragged) {
      const [first, last] = [Math.min(from, barAt(event)), Math.max(from, barAt(event)) + 1];
      const at = (bar) => new Date(Date.parse(start) + bar * step * 60_000).toISOString().slice(0, 16);
      // What was counted may begin and end within a bar.
      const since = Date.parse(`${at(first)}Z`) > Date.parse(begins) ? at(first) : begins;
      const until = Date.parse(`${at(last)}Z`) < Date.parse(ends) ? at(last) : ends;
      const address = new URL(location.href);
      for (const name of ["last", "from", "to", "after", "deep", "done"]) address.searchParams.delete(name);
      address.searchParams.set("since", since);
      address.searchParams.set("until", until);
      location.assign(address);
    }
    from = null;
  });
  strip.addEventListener("pointercancel", () => {
    from = null;
    brush.hidden = true;
  });
  strip.addEventListener("click", (event) => dragged && event.preventDefault(), true);
};

// --- what came since, and what was not counted yet ----------------------------------------------

let shown = Number(find("#count")?.dataset.total ?? 0);
const renew = async () => {
  const began = performance.now();
  if (!document.hidden && !find(".facets details.rest[open]")) await renewNow();
  setTimeout(renew, Math.max(RENEW_MS, PART_OF_TIME * (performance.now() - began)));
};
const renewNow = async () => {
  const asked = new URLSearchParams(location.search);
  try {
    const answer = await fetch(`/logs/summary?${asked}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const made = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = find("#count");
    const wasPartial = "partial" in before.dataset;
    const total = Number(find("#count", made).dataset.total);
    const focused = find(".facets")?.contains(document.activeElement);
    for (const id of focused ? ["#count", "#over-time"] : ["#count", "#over-time", "#facets"])
      find(id).replaceWith(document.adoptNode(find(id, made)));
    foldFacets();
    brushing();
    if (wasPartial) shown = total;
    const more = total - shown;
    const fresh = find("#fresh");
    fresh.hidden = more <= 0 || rows.length === 0;
    find("a", fresh).textContent = `${more.toLocaleString("en")} more came in: show the newest`;
  } catch {
    // the page stays as it is, and is renewed the next time
  }
};

if (page) {
  page.classList.add("alive");
  // After a form that was refused, the page is the list that it was on.
  if (page.dataset.address) history.replaceState(null, "", page.dataset.address);
  const address = new URL(location.href);
  if (address.searchParams.has("done")) {
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }
  foldFacets();
  brushing();
  if (find("#count")) {
    if ("partial" in find("#count").dataset) renew();
    else setTimeout(renew, RENEW_MS);
  }
}
