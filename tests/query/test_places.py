"""Where phrases stand: exactly where `mentions` hears them, in the text as it was written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.query import fold_words
from assay.query.places import Words, compile_phrases, find_phrases

PHRASES = ["I can't help", "not able to", "can't", "İstanbul", "straße", "οδος"]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Sorry, I can’t help. I'm not ABLE  to, really", ["I can’t help", "not ABLE  to"]),
        ("I can't help; I can't", ["I can't help", "can't"]),
        ("cant canthelp scan't", []),
        ("In İSTANBUL!", ["İSTANBUL"]),
        ("Straße, STRASSE", ["Straße"]),
        ("ΟΔΟΣ, ὀδός, ΟΔΟΣ-", ["ΟΔΟΣ", "ΟΔΟΣ"]),
        ("\u202enot\u202e able\u0301 to no\u0301t able to", []),
        ("", []),
        ("not able\nto", ["not able\nto"]),
    ],
)
def test_the_words_as_they_were_written(text: str, heard: list[str]) -> None:
    assert [text[place.start : place.end] for place in find_phrases(text, PHRASES)] == heard


def test_a_list_is_folded_once_and_a_text_read_once() -> None:
    listed = ("I can't help", "not able to")
    assert compile_phrases(listed) is compile_phrases(("I can't help", "not able to"))
    words = Words("I can't help, so I'm not able to")
    assert words.find(compile_phrases(listed)) == [(0, 12), (21, 32)]
    assert words.find(compile_phrases(("help",))) == [(8, 12)]


WORDS = st.sampled_from(
    ["I", "can't", "CAN’T", "help", "not", "able", "to", "é", "İ", "\u202e", "<b>", "e\u0301", "7"]
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "-", "'", ""]))).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)


@given(TEXTS, st.lists(TEXTS, max_size=4))
@example("I can't", ["can", "t"])
def test_something_is_found_exactly_where_a_phrase_is_mentioned(text: str, phrases: list[str]) -> None:
    places = find_phrases(text, phrases)
    folded = {fold_words(phrase) for phrase in phrases} - {" "}
    assert bool(places) == any(phrase in fold_words(text) for phrase in folded)
    for place in places:
        assert fold_words(text[place.start : place.end]) in folded
    assert all(one.end <= other.start for one, other in pairwise(places))
