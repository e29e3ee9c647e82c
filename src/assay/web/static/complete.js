// Offers what may come next in every `<input data-complete="ADDRESS">`. Without it the filter is written by hand.
const PAUSE_MS = 60;

class Completing {
  constructor(input) {
    this.input = input;
    this.address = input.dataset.complete;
    this.offers = [];
    this.place = -1;
    this.asked = null;
    this.cursor = 0;
    this.list = document.createElement("ul");
    this.list.className = "offers";
    this.list.id = "offers";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "What may come next");
    input.after(this.list);
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-controls": "offers",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
    }))
      input.setAttribute(name, value);
    input.addEventListener("input", () => this.soon());
    input.addEventListener("click", () => this.soon());
    input.addEventListener("keyup", (event) => {
      if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) this.soon();
    });
    input.addEventListener("keydown", (event) => this.pressed(event));
    input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the filter keeps the focus
      const item = event.target.closest("li");
      if (item) this.accept(Number(item.dataset.place));
    });
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const { value, selectionStart } = this.input;
    const unit = this.input.form?.elements.unit?.value ?? "";
    // The cursor is counted in characters, not in the units that JavaScript counts.
    const cursor = [...value.slice(0, selectionStart)].length;
    try {
      const query = new URLSearchParams({ q: value, cursor, unit });
      const answer = await fetch(`${this.address}?${query}`, { signal: asked.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const offers = await answer.json();
      if (document.activeElement === this.input && this.input.value === value) this.show(offers, cursor);
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(offers, cursor) {
    this.offers = offers;
    this.cursor = cursor;
    this.place = -1;
    this.list.replaceChildren(...offers.map((offer, place) => this.row(offer, place)));
    this.list.hidden = offers.length === 0;
    this.list.scrollTop = 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.removeAttribute("aria-activedescendant");
  }

  row(offer, place) {
    const item = document.createElement("li");
    item.id = `offer-${place}`;
    item.dataset.place = place;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    for (const [tag, name, text] of [
      ["code", "", offer.insert.trim()],
      ["span", "meaning", offer.meaning],
      ["span", "kind", offer.kind],
    ]) {
      const part = document.createElement(tag);
      if (name) part.className = name;
      part.dir = "auto";
      part.textContent = text.length > 200 ? `${text.slice(0, 200)}…` : text;
      item.append(part);
    }
    return item;
  }

  pressed(event) {
    if (event.key === "Escape") event.preventDefault(); // a browser would empty the field
    if (this.list.hidden) {
      if (event.key === "ArrowDown" || (event.key === " " && event.ctrlKey)) {
        event.preventDefault();
        this.ask();
      }
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    } else if (event.key === "Tab" && !event.shiftKey && this.tabTakes() >= 0) {
      event.preventDefault();
      this.accept(this.tabTakes(), { goesOn: false });
    } else if (event.key === "Enter" && this.place >= 0) {
      event.preventDefault();
      this.accept(this.place);
    }
  }

  move(step) {
    const items = this.list.children;
    if (this.place >= 0) items[this.place].setAttribute("aria-selected", "false");
    this.place = (this.place + step + items.length + (this.place < 0 && step < 0 ? 1 : 0)) % items.length;
    const item = items[this.place];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  // Tab takes what was gone to, or completes the word at the cursor. Otherwise it leaves the field.
  tabTakes() {
    if (this.place >= 0) return this.place;
    const [offer] = this.offers;
    if (!offer || offer.start >= this.cursor) return -1;
    const typed = [...this.input.value].slice(offer.start, this.cursor).join("").trim().toLowerCase();
    const inserted = offer.insert.trim().toLowerCase();
    const begins = [inserted, inserted.slice(inserted.lastIndexOf(".") + 1)].some(
      (text) => text.startsWith(typed) && text !== typed,
    );
    return typed && begins ? 0 : -1;
  }

  accept(place, { goesOn = true } = {}) {
    const offer = this.offers[place];
    if (!offer) return;
    const letters = [...this.input.value];
    const before = letters.slice(0, offer.start).join("") + offer.insert;
    this.input.value = before + letters.slice(offer.end).join("");
    this.input.setSelectionRange(before.length, before.length);
    this.close();
    this.input.focus();
    if (goesOn) this.soon();
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

for (const input of document.querySelectorAll("input[data-complete]")) new Completing(input);
