"""Marked words: nothing of a text is lost, doubled or run, wherever its marks stand."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from tests.web.fake import BIDI, SCRIPT

from assay.web.marked import HEAD, INLINE, LEAST, ROOM, Room, Spot, marked, said
from assay.web.text import visible


class Shown(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.marks: list[str] = []
        self.tags: set[str] = set()
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "mark":
            self.inside = True
            self.marks.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "mark"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.inside:
            self.marks[-1] += data


def test_words_are_marked_and_named() -> None:
    html = marked("Sorry, I can't help <b>you</b>", [Spot(9, 19, "raised refusal")])
    assert '<mark class="heard" title="raised refusal">can&#39;t help</mark>' in html
    assert "&lt;b&gt;" in html


def test_one_mark_names_every_signal_that_heard_it() -> None:
    html = marked("abcdef", [Spot(0, 4, "one"), Spot(2, 6, "two"), Spot(2, 4, "one")])
    assert [unescape(part) for part in html.split('title="')[1:]][1].startswith("one, two")
    assert Shown(html).marks == ["ab", "cd", "ef"]


def test_a_title_can_not_leave_its_attribute() -> None:
    html = marked("words", [Spot(0, 5, '"><script>')])
    assert Shown(html).tags == {"bdi", "mark"}


def test_a_mark_that_lies_behind_the_cut_is_in_the_tail() -> None:
    text = "word " * 1_000
    given_text = said(text, [Spot(0, 4, "first"), Spot(4_500, 4_504, "late")], "/texts", Room([text]))
    assert "first" in given_text.head
    assert "late" in given_text.tail
    assert Shown(given_text.head).text + Shown(given_text.tail).text == text
    assert given_text.more == ""


def test_a_long_text_is_at_its_address() -> None:
    text = "x" * (INLINE + 1)
    given_text = said(text, [], "/texts?part=input", Room([text]))
    assert (given_text.tail, given_text.more, given_text.length) == ("", "/texts?part=input", INLINE + 1)
    assert len(given_text.head) < 4_000


def test_texts_share_the_room_of_a_page() -> None:
    few, many = ["w " * 4_000] * 4, ["w " * 4_000] * 1_000
    room = Room(few)
    assert all(not said(text, [], "/texts", room).more for text in few)
    room = Room(many)
    heads = [said(text, [], "/texts", room) for text in many]
    assert sum(len(one.head) + len(one.tail) for one in heads) < 2.2 * ROOM
    assert not heads[0].more
    assert heads[-1].more == "/texts"
    assert LEAST <= len(heads[-1].head) < HEAD
    short = said("word", [], "/texts", room)
    assert (short.more, short.head) == ("", visible("word"))


SPOTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from("abc")), max_size=6)


@given(st.text(max_size=30).map(lambda text: text + SCRIPT[:9] + BIDI), SPOTS)
def test_marks_change_no_text(text: str, spots: list[tuple[int, int, str]]) -> None:
    made = [Spot(min(a, b), max(a, b), title) for a, b, title in spots]
    text = text.replace("\r", "")
    shown = Shown(marked(text, made))
    assert shown.text == Shown(visible(text)).text
    assert shown.tags <= {"bdi", "mark", "span"}
