"""Fills the templates of one conversation with words."""

from __future__ import annotations

from typing import NamedTuple

from assay.demo.draws import Draws
from assay.demo.phrases import Phrases, load_phrases
from assay.demo.story import EMERGING, TOPICS, Truth


class Said(NamedTuple):
    """What the user says, what the assistant answers, and how the tool fares: "failed",
    "recovered" (at the second try) or "" (as usual)."""

    user: str
    answer: str
    tool: str


STEPS: dict[str, Said] = {  # the kinds of request and answer that make up each step
    "ask": Said("open", "good", ""),
    "recover": Said("open", "good", "recovered"),
    "vague": Said("open", "vagues", ""),
    "miss": Said("open", "wrong", ""),
    "refused": Said("open", "refusals", ""),
    "broken": Said("open", "outages", "failed"),
    "empty": Said("open", "", ""),
    "repeat": Said("again", "good", ""),
    "miss_again": Said("again", "wrong", ""),
    "refused_again": Said("again", "refusals", ""),
    "broken_again": Said("again", "outages", "failed"),
    "decline": Said("beyond", "declines", ""),
    "handover": Said("humans", "handovers", ""),
    "stonewalled": Said("humans", "stonewalls", ""),
    "drag": Said("drags", "vagues", ""),
    "follow": Said("more", "good", ""),
    "miss_more": Said("more", "wrong", ""),
}


class Speaker:
    """One conversation's voice: its names, numbers and products stay the same from turn to turn."""

    def __init__(self, truth: Truth, draws: Draws) -> None:
        self._draws, self._truth = draws, truth
        self._phrases = load_phrases(truth.language)
        self._topic = self._phrases.topics[truth.topic]
        self._slots = _slots(truth.language, self._phrases, draws)
        self._follows = list(self._topic.follow)
        self._request, self._asked = "", 0

    def speak(self, step: str) -> Said:
        """The words of one step."""
        user, answer, tool = STEPS[step]
        if user == "more":
            question, reply = self._more(resolved=answer == "good")
            return Said(self._fill(question), self._fill(reply), tool)
        if user == "beyond":
            number = self._draws.below(len(self._phrases.beyond))
            reply = self._phrases.declines[number % len(self._phrases.declines)]
            return Said(self._fill(self._phrases.beyond[number]), self._fill(reply), tool)
        if user == "open":
            request = self._open()
        elif user == "again":
            request = self._draws.pick(self._phrases.repeats).replace("{ask}", self._request)
        else:
            request = self._pick(user)
        return Said(self._fill(request), self._fill(self._answer(answer)), tool)

    def _answer(self, kind: str) -> str:
        match kind:
            case "":
                return ""
            case "good":
                close = self._pick("closes") if self._draws.chance(0.3) else ""
                return self._topic.good[self._asked % len(self._topic.good)] + close
            case "wrong":
                return self._draws.pick(self._topic.wrong)
            case _:
                return self._pick(kind)

    def _pick(self, kind: str) -> str:
        lines: tuple[str, ...] = getattr(self._phrases, kind)
        return self._draws.pick(lines)

    def _fill(self, template: str) -> str:
        text = template.format_map(self._slots) if "{" in template else template
        return text[:1].upper() + text[1:]

    def _open(self) -> str:
        """The first request, dressed up a little differently each time."""
        self._asked = self._draws.below(len(self._topic.asks))
        self._request = text = self._topic.asks[self._asked]
        dress = self._draws.word()
        if dress & 7 < 3:
            text = self._pick("greetings") + text
        if dress >> 3 & 7 < 4:
            text += self._pick("endings")
        return text.lower() if dress >> 6 & 31 == 0 else text

    def _more(self, *, resolved: bool) -> tuple[str, str]:
        """A further question with its answer; of another topic where this one has no more."""
        wrap = self._pick("wraps") if self._draws.chance(0.6) else ""
        if resolved and self._follows:
            question, answer = self._follows.pop(self._draws.below(len(self._follows)))
            return wrap + question, answer
        topic = self._topic
        if resolved or self._truth.topic != EMERGING:
            topic = self._phrases.topics[self._draws.pick(tuple(TOPICS))]
        asked = self._draws.below(len(topic.asks))
        answer = topic.good[asked % len(topic.good)] if resolved else self._draws.pick(topic.wrong)
        return wrap + topic.asks[asked], answer


def _slots(language: str, phrases: Phrases, draws: Draws) -> dict[str, str]:
    cents = draws.below(18_000) + 900
    amount = f"${cents / 100:.2f}" if language == "en" else f"{cents / 100:.2f} €".replace(".", ",")
    return {
        "order": f"SO-{draws.below(900_000) + 100_000}",
        "product": draws.pick(phrases.products),
        "amount": amount,
        "city": draws.pick(phrases.cities),
        "street": draws.pick(phrases.streets),
        "days": str(draws.below(8) + 2),
        "digits": f"{draws.below(10_000):04d}",
        "code": f"{draws.pick(('SPRING', 'HELLO', 'PINE', 'EXTRA', 'VIP'))}-{draws.below(9000) + 1000}",
        "first": draws.pick(phrases.names),
    }
