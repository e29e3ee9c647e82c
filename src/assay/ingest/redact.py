"""Personal data and secrets are taken out of spans and log records before anything is written."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Literal, Protocol

import pyarrow as pa

from assay.errors import ConfigError
from assay.ingest.content import BARE, Treatment, compile_keep, is_content, treatment_of
from assay.ingest.escapes import rewrite_text
from assay.ingest.patterns import COARSE, ESCAPED, KINDS, SECRET_KEYS, SIEVES, Find, find, without_overlaps
from assay.ingest.pieces import Column, Piece, in_one, mask_of, pc, with_counts

Method = Literal["mask", "hash", "drop", "off"]
"""`mask`: `[email]`. `hash`: `[email:3f9a...]`, the same for the same value. `drop`: the whole text goes."""

COUNT = "assay.redactions"
"""The attribute that says how much was taken out of a span or record."""

DROPPED = "[dropped]"
_SHARED = ("ResourceAttributes", "ScopeAttributes")
"""What many rows share is not counted with each of them."""

_MARKS = "\ufdd0", "\ufdd1"
_LONGEST_ID = 256
_IN_IDS = ("secret", "email")
_MOST_KEYS = 20_000
_TURNS = 8
_EMPTY = re.compile(r"\s*(?:|none|null|true|false|[0-9]{1,3}|\[.{0,40}\])\s*", re.IGNORECASE)


class TextFinder(Protocol):
    """Finds what no pattern can, such as names of people."""

    kinds: tuple[str, ...]

    def find(self, text: str) -> Sequence[Find]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is taken out, and how.

    `methods` has a kind's own method, where it is not `method`; `patterns` are a team's own, in RE2's
    syntax, by name. `drop_content`: of content nothing is kept. `keep`: attributes that are left as they
    are, with `*` for any letters. `key` is needed to hash."""

    method: Method = "mask"
    methods: Mapping[str, Method] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    drop_content: bool = False
    hash_user_ids: bool = False
    keep: tuple[str, ...] = ()
    key: bytes = field(default=b"", repr=False)
    finder: TextFinder | None = None


class Redactor:
    """Redacts tables of spans and records, and single texts. Safe to share between threads.

    What comes out depends on the text and the rules alone, and redacting it again changes nothing.
    Raises ConfigError at once for a pattern that can't be used or a method that lacks its key."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._own = {name: _checked(name, pattern) for name, pattern in rules.patterns.items()}
        named = (*KINDS, *self._own, *(rules.finder.kinds if rules.finder else ()))
        told: Method = "mask" if rules.method == "off" else rules.method
        self._methods = {
            kind: rules.methods.get(kind, rules.method if kind in KINDS else told) for kind in named
        }
        if unknown := set(rules.methods) - set(named):
            raise ConfigError(f"redaction.methods: no kind `{min(unknown)}`; there are {', '.join(named)}")
        if not rules.key and ("hash" in self._methods.values() or rules.hash_user_ids):
            raise ConfigError(
                "redaction: `hash` needs a key, and the environment variable that redaction.key_env names "
                "is empty: set it to a long random text, and keep that"
            )
        self._kinds = tuple(kind for kind in KINDS if self._methods[kind] != "off")
        self._own = {name: pattern for name, pattern in self._own.items() if self._methods[name] != "off"}
        self._key = sha256(rules.key).digest()
        self._keep = compile_keep(rules.keep)
        tokens = "|".join(map(re.escape, sorted((*named, "user"), key=len, reverse=True)))
        self._tokens = re.compile(rf"\[(?:{tokens})(?::[0-9a-f]{{16}})?\]|\[dropped\]")
        self._sieve = "|".join(dict.fromkeys([*(COARSE[kind] for kind in self._kinds), ESCAPED]))
        if rules.hash_user_ids:
            self._sieve += "|(?i:user.?id)"
        self._treatments: dict[str, tuple[Treatment, bool]] = {}

    def spans(self, table: pa.Table) -> pa.Table:
        """Rows of `otel_traces`, redacted: attributes, events, links, status and span names."""
        return self._table(table, ("SpanName", "StatusMessage", "TraceState"), "SpanAttributes")

    def records(self, table: pa.Table) -> pa.Table:
        """Rows of `otel_logs`, redacted: bodies and attributes."""
        return self._table(table, ("Body",), "LogAttributes")

    def text(self, text: str) -> str:
        """One text that a person wrote, redacted; a comment is content too."""
        if self._rules.drop_content:
            return ""
        redacted, _ = self._values(pa.array([""]), pa.array([text], pa.string()))
        new: str = redacted[0].as_py()
        return new

    def stored_ids(self, user: str) -> tuple[str, ...]:
        """The texts under which what came with this user id may be kept: the id, and its hashes."""
        found = {user: None}
        if self._rules.hash_user_ids:
            found[self._hashed("user", user)] = None
        said = self._redact(user, "user.id", frozenset(self._kinds), {})[0]
        if ":" in said and self._tokens.fullmatch(said):
            found[said] = None
        return tuple(found)

    # --- tables -------------------------------------------------------------------------------

    def _table(self, table: pa.Table, texts: Sequence[str], counted: str) -> pa.Table:
        """Every text of the table in one pass: a pattern is made ready once, however many columns."""
        if not table.num_rows:
            return table
        columns = {name: in_one(table.column(name)) for name in table.column_names}
        pieces = [Piece.of_texts(name, columns[name]) for name in texts if name in columns]
        pieces += [piece for name, column in columns.items() if (piece := Piece.of_map(name, column))]
        counts: Counter[int] = Counter()
        if self._rules.drop_content:
            for piece in pieces:
                counts += self._drop(piece)
        joined = pa.concat_arrays([piece.values for piece in pieces])
        new, found = self._values(pa.concat_arrays([piece.keys for piece in pieces]), joined)
        start = 0
        for piece in pieces:
            end = start + len(piece.values)
            within = Counter({place - start: count for place, count in found.items() if start <= place < end})
            if within:
                piece.values = new.slice(start, end - start)
                piece.changed = True
                if piece.column not in _SHARED:
                    counts += piece.by_row(within)
            start = end
        columns |= {piece.column: piece.rebuilt() for piece in pieces if piece.changed}
        if counts and counted in columns:
            columns[counted] = with_counts(columns[counted], COUNT, counts)
        return pa.table(columns)

    def _drop(self, piece: Piece) -> Counter[int]:
        """Leave out what is content; how much that was in each row."""
        if piece.is_map:
            return piece.leave_out(self._content(piece.keys, piece.values))
        return piece.blank() if piece.column in ("Body", "StatusMessage") else Counter()

    def _content(self, keys: Column, values: Column) -> Column:
        """Which attributes are content, or too long to be the id that their key says."""
        classes, which = self._classes(keys)
        by_key = pa.array([content for _, content in classes], pa.bool_()).take(which)
        ids = pa.array([treatment in ("id", "user") for treatment, _ in classes], pa.bool_()).take(which)
        long = pc.and_(ids, pc.greater(pc.binary_length(values), _LONGEST_ID))
        said = pc.invert(pc.match_substring_regex(values, BARE))
        return pc.fill_null(pc.and_(pc.or_(by_key, long), said), False)

    def _classes(self, keys: Column) -> tuple[list[tuple[Treatment, bool]], Column]:
        """How each different key is treated and whether it is content, and which of them each key is."""
        encoded = keys.dictionary_encode()
        if len(self._treatments) > _MOST_KEYS:
            self._treatments = {}
        known, classes = self._treatments, []
        for key in encoded.dictionary.to_pylist():
            if key not in known:
                known[key] = (
                    treatment_of(key, hash_users=self._rules.hash_user_ids, keep=self._keep),
                    is_content(key, keep=self._keep),
                )
            classes.append(known[key])
        return classes, encoded.indices

    # --- values -------------------------------------------------------------------------------

    def _values(self, keys: Column, values: Column) -> tuple[Column, Counter[int]]:
        """The values, redacted, and how many finds each had."""
        classes, which = self._classes(keys)
        plain = pa.array([treatment == "plain" for treatment, _ in classes], pa.bool_())
        whole = pa.array([treatment in ("user", "secret") for treatment, _ in classes], pa.bool_())
        suspects = pc.and_not(pc.or_(self._suspects(values), whole.take(which)), plain.take(which))
        hits = pc.indices_nonzero(pc.fill_null(suspects, False))
        found: Counter[int] = Counter()
        if not len(hits):
            return values, found
        texts = values.take(hits)
        kinds, said = self._kinds_of(texts), texts.to_pylist()
        own = self._own_finds(said)
        done: dict[tuple[str, str], tuple[str, int]] = {}
        replacements = []
        for row, key, text, some in zip(
            hits.to_pylist(), keys.take(hits).to_pylist(), said, kinds, strict=True
        ):
            if (key, text) not in done:
                done[key, text] = self._redact(text, key, some, own)
            new, count = done[key, text]
            if count:
                found[row] = count
                replacements.append(new)
        if found:
            values = pc.replace_with_mask(
                values, mask_of(found, len(values)), pa.array(replacements, pa.string())
            )
        return values, found

    def _suspects(self, values: Column) -> Column:
        """Which values may hold something."""
        mask = pc.match_substring_regex(values, self._sieve)
        if self._rules.finder is not None:
            return pc.or_(mask, pc.match_substring_regex(values, r"\pL{2}"))
        if self._own:
            spelled = pc.replace_substring_regex(values, r'\\+[nrtbf"]', " ")
            for pattern in self._own.values():
                mask = pc.or_(mask, pc.match_substring_regex(spelled, pattern))
                if _is_anchored(pattern):  # may begin or end a text that stands inside JSON
                    mask = pc.or_(mask, pc.match_substring_regex(values, r'^\s*[\[{"]'))
        return mask

    def _kinds_of(self, texts: Column) -> list[frozenset[str]]:
        """Which kinds each of the texts may hold."""
        hidden = pc.match_substring_regex(texts, ESCAPED).to_pylist()
        by_kind = {kind: pc.match_substring_regex(texts, SIEVES[kind]).to_pylist() for kind in self._kinds}
        every = frozenset(self._kinds)
        return [
            every if hidden[place] else frozenset(kind for kind, mask in by_kind.items() if mask[place])
            for place in range(len(texts))
        ]

    def _own_finds(self, texts: Sequence[str]) -> Mapping[str, Sequence[Find]]:
        """What the team's own patterns and the finder see, in every text and string inside JSON.

        A team's pattern runs in RE2 alone, whose time grows with the text and never faster: each find
        comes back between two marks."""
        if not self._own and self._rules.finder is None:
            return {}
        leaves: dict[str, list[Find]] = {}

        def collect(text: str, key: str) -> str:
            leaves.setdefault(self._shield(text), [])
            return text

        for text in texts:
            rewrite_text(text, collect)
        self._look(leaves)
        return leaves

    def _look(self, leaves: Mapping[str, list[Find]]) -> None:
        """Add what the team's own patterns and the finder see in each of these texts."""
        every: Column = pa.array([_unmarked(leaf) for leaf in leaves], pa.string())
        for name, pattern in self._own.items():
            marked = pc.replace_substring_regex(every, f"({pattern})", rf"{_MARKS[0]}\1{_MARKS[1]}")
            for finds, text in zip(leaves.values(), marked.to_pylist(), strict=True):
                finds.extend(Find(start, end, name) for start, end in _between_marks(text))
        if self._rules.finder is not None:
            for leaf, finds in leaves.items():
                finds.extend(one for one in self._rules.finder.find(leaf) if self._methods[one.kind] != "off")

    def _redact(
        self, text: str, key: str, kinds: frozenset[str], own: Mapping[str, Sequence[Find]]
    ) -> tuple[str, int]:
        """The text without what it should not hold, and the number of finds."""
        count = 0
        if treatment_of(key, hash_users=self._rules.hash_user_ids, keep=self._keep) == "id":
            kinds = kinds & frozenset(_IN_IDS)

        def rewrite(part: str, under: str) -> str:
            nonlocal count
            new, found = self._leaf(part, under, kinds, own)
            count += found
            return new

        if SECRET_KEYS.search(key) or (self._rules.hash_user_ids and _is_user(key)):
            return rewrite(text, key), count
        new = rewrite_text(text, rewrite, key)
        return (new, count) if count else (text, 0)

    def _leaf(
        self, text: str, key: str, kinds: frozenset[str], own: Mapping[str, Sequence[Find]]
    ) -> tuple[str, int]:
        """One text that is no JSON."""
        if self._rules.hash_user_ids and _is_user(key):
            if not text or self._tokens.fullmatch(text):
                return text, 0
            return self._hashed("user", text), 1
        if "secret" in self._kinds and SECRET_KEYS.search(key):
            return (text, 0) if _EMPTY.fullmatch(text) else (self._replace("secret", text), 1)
        if not text:
            return text, 0
        count = 0
        for turn in range(_TURNS):  # where something was taken out, what stood beside it may show
            shielded = self._shield(text)
            seen = own.get(shielded, ()) if not turn else self._seen(shielded)
            finds = without_overlaps([*seen, *find(shielded, kinds, key)])
            if not finds:
                break
            count += len(finds)
            if any(self._methods[one.kind] == "drop" for one in finds):
                return DROPPED, count
            parts, place = [], 0
            for start, end, kind in finds:
                parts += [text[place:start], self._replace(kind, text[start:end])]
                place = end
            text = "".join([*parts, text[place:]])
        return text, count

    def _seen(self, text: str) -> list[Find]:
        if not self._own and self._rules.finder is None:
            return []
        leaves: dict[str, list[Find]] = {text: []}
        self._look(leaves)
        return leaves[text]

    def _shield(self, text: str) -> str:
        """What stands in for something taken out is never looked into: nothing goes beyond a line's end."""
        return self._tokens.sub(lambda token: "\n" * len(token[0]), text)

    def _replace(self, kind: str, value: str) -> str:
        method = self._methods[kind]
        if method == "hash":
            return self._hashed(kind, _plainest(kind, value))
        return DROPPED if method == "drop" else f"[{kind}]"

    def _hashed(self, kind: str, value: str) -> str:
        said = f"{kind}:{value}".encode("utf-8", "replace")
        return f"[{kind}:{hmac.new(self._key, said, lambda: blake2b(digest_size=8)).hexdigest()}]"


def _is_user(key: str) -> bool:
    return treatment_of(key, hash_users=True, keep=None) == "user"


def _plainest(kind: str, value: str) -> str:
    """The same address, number or account, however it was written."""
    if kind in ("card", "iban", "phone"):
        return "".join(letter for letter in value.upper() if letter.isalnum() or letter == "+")
    return value.lower() if kind in ("email", "ip") else value


def _checked(name: str, pattern: str) -> str:
    """A team's pattern that RE2 can use. Raises ConfigError."""
    if name in (*KINDS, "user", "dropped") or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        raise ConfigError(f"redaction.patterns.{name}: the name is taken, or no plain word; choose another")
    try:
        empty = pc.match_substring_regex(pa.array(["", "a"]), f"^(?:{pattern})$").to_pylist()[0]
        pc.replace_substring_regex(pa.array(["a"]), f"({pattern})", r"\1")
    except pa.ArrowInvalid as error:
        raise ConfigError(
            f"redaction.patterns.{name} = {pattern!r} is no regular expression in RE2's syntax (no "
            f"look-around, no back-references): {error}"
        ) from None
    if empty:
        raise ConfigError(f"redaction.patterns.{name} = {pattern!r} matches the empty text; demand a letter")
    return pattern


def _is_anchored(pattern: str) -> bool:
    return bool(re.search(r"(?<![\[\\])\^|(?<!\\)\$|\\[Az]", pattern))


def _unmarked(text: str) -> str:
    return text.replace(_MARKS[0], "\ufffd").replace(_MARKS[1], "\ufffd")


def _between_marks(text: str) -> list[tuple[int, int]]:
    """The marked parts of a text, as places in the text without marks."""
    if _MARKS[0] not in text:
        return []
    finds, place = [], 0
    for part in text.split(_MARKS[0]):
        inside, mark, after = part.partition(_MARKS[1])
        if mark:
            finds.append((place, place + len(inside)))
        place += len(inside) + len(after)
    return finds
