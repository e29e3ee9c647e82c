// A conversation's page: keys, what is asked for bit by bit, and the way through the list it came from.
"use strict";

const turns = [...document.querySelectorAll(".turn")];
const store = {
  get: (key) => {
    try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
  },
  set: (key, value) => {
    try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* then there is no way back */ }
  },
};

const fetchPage = async (address) => {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error(page.querySelector("main p")?.textContent.trim() || `status ${answer.status}`);
  return page;
};
const fetchPart = async (address) => [...(await fetchPage(address)).querySelector("[data-content]").childNodes];

// Spans, their attributes and neighbours: asked for when they are opened, once.
const fill = async (holder) => {
  const address = holder.dataset.part;
  const place = holder.querySelector(":scope > .part");
  if (!address || !place || holder.dataset.asked) return;
  holder.dataset.asked = "1";
  place.setAttribute("aria-busy", "true");
  try {
    place.replaceChildren(...await fetchPart(address));
  } catch (error) {
    delete holder.dataset.asked; // opening it again tries again
    const note = document.createElement("p");
    note.className = "muted small";
    note.textContent = `Not loaded: ${error.message}`;
    place.replaceChildren(note);
  }
  place.removeAttribute("aria-busy");
};
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-part][open]")) fill(event.target);
}, true);
for (const holder of document.querySelectorAll("details[data-part][open], [data-soon]")) fill(holder);

// A long text is put where its beginning stands.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-into]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const words = link.closest(".words");
  link.setAttribute("aria-busy", "true");
  try {
    words.replaceChildren(...await fetchPart(link.href));
  } catch (error) {
    link.textContent = `Not loaded: ${error.message}. Try again`;
    link.removeAttribute("aria-busy");
  }
});

// One turn is the current one: its spans are open beside it.
let current = -1;
const traceOf = (turn) => document.querySelector(`.trace[data-of="${turn.dataset.turn}"]`);
const reveal = (element, frame) => {
  const box = element.getBoundingClientRect();
  const seen = frame.getBoundingClientRect();
  if (box.top < seen.top || box.bottom > seen.bottom) frame.scrollTop += box.top - seen.top - 60;
};
const choose = (index, { scroll = false } = {}) => {
  if (index < 0 || index >= turns.length) return;
  if (index !== current) {
    const before = turns[current];
    before?.classList.remove("here");
    if (before) {
      const trace = traceOf(before);
      trace.classList.remove("here");
      if (trace.dataset.ours) trace.open = false;
      delete trace.dataset.ours;
    }
    current = index;
    turns[current].classList.add("here");
    const trace = traceOf(turns[current]);
    trace.classList.add("here");
    if (!trace.open) {
      trace.open = true;
      trace.dataset.ours = "1"; // what the reader has opened stays open
    }
    const side = trace.closest(".talk-side");
    reveal(trace.querySelector("summary"), trace.closest(".traces"));
    if (getComputedStyle(side).position === "sticky") reveal(trace.querySelector("summary"), side);
  }
  if (scroll) {
    turns[current].scrollIntoView({ block: "start" });
    turns[current].focus({ preventScroll: true });
    history.replaceState(null, "", `#${turns[current].id}`);
  }
};
const byHash = () => {
  const wanted = location.hash.slice(1);
  let plainly = wanted;
  try { plainly = decodeURIComponent(wanted); } catch { /* it is no address of ours */ }
  return turns.findIndex((turn) => turn.id === wanted || turn.id === plainly);
};
addEventListener("hashchange", () => choose(byHash()));
choose(Math.max(byHash(), 0));
const opened = turns[current] && traceOf(turns[current]);
if (opened) opened.dataset.ours = "1";

// Whoever scrolls by hand moves it along.
let byHand = false;
for (const kind of ["wheel", "touchmove"]) addEventListener(kind, () => { byHand = true; }, { passive: true });
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && byHand) choose(turns.indexOf(entry.target));
  }
}, { rootMargin: "-15% 0px -75% 0px" });
for (const turn of turns) seen.observe(turn);

// The list that the reader came from: what is before and after.
const here = location.pathname + location.search.replace(/[?&]turn=[^&]*/, "");
// Several rows of a list may be of one conversation: they are one step.
const plain = (href) => {
  const address = new URL(href, location.href);
  address.searchParams.delete("turn");
  return address.pathname + address.search;
};
const back = document.querySelector("[data-back]");
const walk = document.querySelector(".walk");
let before = null;
let after = null;
const showWalk = (list) => {
  const steps = [...new Map(list.hrefs.toReversed().map((href) => [plain(href), href])).values()].toReversed();
  const at = steps.findIndex((href) => plain(href) === here);
  if (at < 0) return false;
  back.href = list.address;
  before = steps[at - 1] ?? null;
  after = steps[at + 1] ?? null;
  for (const [link, href] of [[walk.querySelector('[data-walk="-1"]'), before], [walk.querySelector('[data-walk="1"]'), after]]) {
    if (href) link.href = href;
    else link.removeAttribute("href");
  }
  walk.querySelector("[data-place]").textContent = `${at + 1} of ${steps.length}`;
  walk.hidden = false;
  return true;
};
const findList = async () => {
  const kept = store.get("assay-list");
  const came = document.referrer && new URL(document.referrer);
  const fromList = came && came.origin === location.origin && came.pathname === "/logs";
  const address = fromList ? came.pathname + came.search : kept?.address;
  if (kept && kept.address === address && showWalk(kept)) return;
  if (!fromList) return;
  try {
    const page = await fetchPage(address);
    const hrefs = [...page.querySelectorAll("a.row-link")].map((link) => link.getAttribute("href"));
    const list = { address, hrefs };
    if (showWalk(list)) store.set("assay-list", list);
  } catch { /* the page is whole without */ }
};
if (walk) {
  if ("requestIdleCallback" in window) requestIdleCallback(findList);
  else setTimeout(findList, 300);
}

const dialog = document.getElementById("keys");
for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (dialog?.open || !turns.length) return;
  const keys = {
    j: () => choose(Math.min(current + 1, turns.length - 1), { scroll: true }),
    k: () => choose(Math.max(current - 1, 0), { scroll: true }),
    t: () => { const trace = traceOf(turns[current]); trace.open = !trace.open; },
    n: () => { if (after) location.href = after; },
    p: () => { if (before) location.href = before; },
    u: () => { location.href = back.href; },
    "?": () => dialog.showModal(),
  };
  if (Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    byHand = false;
    keys[event.key]();
  }
});
