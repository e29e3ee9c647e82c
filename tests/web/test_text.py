"""What was written is shown as it is, and what would deceive is shown as what it is."""

from __future__ import annotations

import html
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.web.text import excerpt, plain, prose, split, visible

SEEN = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
"""Format characters that are drawn: number signs and their kin."""
BUILDS = range(0x13430, 0x1343F)
"""Those that put hieroglyphs together."""
UNSEEN = {
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cf", "Zl", "Zp", "Cs", "Cc")
    and chr(code) not in "\t\n"
    and code not in SEEN
    and code not in BUILDS
} | {chr(code) for code in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)}
UNSEEN |= {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
KEPT = re.compile("[\u200c\u200d\ufe0e\ufe0f]")
"""These may stand where letters or emojis need them."""
TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@given(TEXT)
def test_no_deceptive_character_is_left(text: str) -> None:
    for shown in (plain(text), str(visible(text)), str(prose(text))):
        assert not UNSEEN & set(KEPT.sub("", shown))
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


def test_what_nobody_sees_is_marked_among_letters() -> None:
    left = [hex(ord(one)) for one in sorted(UNSEEN) if one in plain(f"pay{one}ments") + visible(f"a{one}b")]
    assert left == []
    assert len(UNSEEN) > 2_300  # surrogates, controls, tags, selectors


@pytest.mark.parametrize(
    "written",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a flag
        "\U0001f9d1\U0001f3fd\u200d\U0001f4bb",  # with a tone of skin
        "1\ufe0f\u20e3",  # a key
        "\u260e\ufe0e",  # a telephone as text
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Devanagari
        "\u0d28\u0d4d\u200d.",  # Malayalam, at the end of a word
    ],
)
def test_what_letters_and_emojis_are_made_of_stays(written: str) -> None:
    assert plain(written) == written
    assert str(visible(written)) == f"<bdi>{written}</bdi>"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\u200bb", "a⟦ZWSP⟧b"),
        ("a\u200db", "a⟦ZWJ⟧b"),
        ("\u200d", "⟦ZWJ⟧"),
        ("a\ufe0f", "a⟦VS16⟧"),
        ("1\ufe0f", "1⟦VS16⟧"),
        ("\U0001f600\ufe0f\ufe0f", "\U0001f600\ufe0f⟦VS16⟧"),
        ("x\U000e0100\U000e01ef", "x⟦VS17⟧⟦VS256⟧"),
        ("\U000e0041", "⟦tag A⟧"),
        ("\u3164", "⟦HF⟧"),
        ("a\u2028b", "a⟦LS⟧b"),
        ("\ufffa", "⟦FFFA⟧"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_marks_say_what_they_stand_for(written: str, shown: str) -> None:
    assert plain(written) == shown
