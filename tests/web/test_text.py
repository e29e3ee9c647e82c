"""What was written is shown as it is, and what would deceive is shown as what it is."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from assay.web.text import excerpt, plain, prose, split, visible

DECEPTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@given(TEXT)
def test_no_deceptive_character_is_left(text: str) -> None:
    for shown in (plain(text), str(visible(text)), str(prose(text))):
        assert DECEPTIVE.search(shown) is None
        shown.encode()


@given(TEXT)
def test_visible_text_is_isolated_and_escaped(text: str) -> None:
    inner = str(visible(text)).removeprefix("<bdi>").removesuffix("</bdi>")
    bare = re.sub(r'<span class="mark" title="U\+[0-9A-F]+">([^<]*)</span>', r"\1", inner)
    assert "<" not in bare
    assert html.unescape(bare) == plain(text)


@given(st.text(max_size=300), st.integers(1, 100))
def test_split_loses_only_what_it_counts(text: str, head: int) -> None:
    cut = split(text, head, 200)
    assert text.startswith(cut.head + cut.tail)
    assert len(cut.head) + len(cut.tail) + cut.cut == len(text)


def test_split_of_a_megabyte() -> None:
    cut = split("word " * 200_000)
    assert 2_000 < len(cut.head) <= 3_000
    assert len(cut.head) + len(cut.tail) == 100_000
    assert cut.cut == 900_000


def test_excerpt_folds_and_cuts() -> None:
    assert excerpt("a\n\n b\t c") == "a b c"
    assert excerpt("x" * 500, 10) == "xxxxxxxxxx…"
    assert excerpt("short", 10) == "short"


def test_prose_marks_code_and_escapes() -> None:
    assert prose("run `assay label` <now>") == "run <code>assay label</code> &lt;now&gt;"
