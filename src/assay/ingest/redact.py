"""Personal data and secrets are taken out of spans and log records before anything is written."""

from __future__ import annotations

import hmac
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import ConfigError
from assay.ingest.content import BARE, Treatment, compile_keep, is_content, treatment_of
from assay.ingest.escapes import rewrite_text
from assay.ingest.patterns import COARSE, ESCAPED, KINDS, SECRET_KEYS, SIEVES, Find, find

Method = Literal["mask", "hash", "drop", "off"]
"""`mask`: `[email]`. `hash`: `[email:3f9a...]`, the same for the same value. `drop`: the whole text goes."""

COUNT = "assay.redactions"
"""The attribute that says how much was taken out of a span or record."""

DROPPED = "[dropped]"
_MARKS = "\ufdd0", "\ufdd1"
_LONGEST_ID = 256
_IN_IDS = ("secret", "email")
_MOST_KEYS = 20_000
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
        self._methods = {kind: rules.methods.get(kind, rules.method) for kind in named}
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
        redacted, _ = self._values(None, pa.array([text], pa.string()))
        new: str = redacted[0].as_py()
        return new

    # --- tables -------------------------------------------------------------------------------

    def _table(self, table: pa.Table, texts: Sequence[str], counted: str) -> pa.Table:
        if not table.num_rows:
            return table
        columns = {name: _whole(table.column(name)) for name in table.column_names}
        counts: Counter[int] = Counter()
        for name in texts:
            if name in columns:
                drop = self._rules.drop_content and name in ("Body", "StatusMessage")
                columns[name], found = self._column(columns[name], drop)
                counts += found
        for name, column in columns.items():
            if name in ("ResourceAttributes", "ScopeAttributes"):
                columns[name], _ = self._map(column, distinct=True)
            elif pa.types.is_map(column.type):
                columns[name], found = self._map(column)
                counts += found
            elif pa.types.is_list(column.type) and pa.types.is_map(column.type.value_type):
                offsets = column.offsets
                inner, within = self._map(column.values)
                columns[name] = pa.ListArray.from_arrays(offsets, inner)
                counts += _by_row(offsets, within)
        if counts and counted in columns:
            columns[counted] = _with_counts(columns[counted], counts)
        return pa.table(columns)

    def _column(self, values: pa.Array[Any], drop: bool) -> tuple[pa.Array[Any], Counter[int]]:
        """A column of texts. The few different ones of a column of names are looked at once."""
        if drop:
            filled = pc.indices_nonzero(pc.greater(pc.binary_length(values), 0)).to_pylist()
            return pa.array([""] * len(values), pa.string()), Counter(filled)
        encoded = values.dictionary_encode()
        new, found = self._values(None, encoded.dictionary)
        if not found:
            return values, Counter()
        places = encoded.indices.to_pylist()
        return new.take(encoded.indices), Counter(
            {row: found[i] for row, i in enumerate(places) if i in found}
        )

    def _map(self, column: pa.Array[Any], *, distinct: bool = False) -> tuple[pa.Array[Any], Counter[int]]:
        """A column of attributes, and how much was taken out of each row."""
        offsets, keys, values = column.offsets, column.keys, column.items
        if not len(values):
            return column, Counter()
        dropped: Counter[int] = Counter()
        if self._rules.drop_content:
            gone = self._content(keys, values)
            if some := pc.indices_nonzero(gone).to_pylist():
                dropped = _by_row(offsets, Counter(some))
                offsets = _without(offsets, gone)
                kept = pc.invert(gone)
                keys, values = keys.filter(kept), values.filter(kept)
        new, found = self._values(keys, values, distinct=distinct)
        if not found and not dropped:
            return column, Counter()
        build: Callable[..., pa.Array[Any]] = pa.MapArray.from_arrays
        return build(offsets, keys, new), dropped + _by_row(offsets, found)

    def _content(self, keys: pa.Array[Any], values: pa.Array[Any]) -> pa.Array[Any]:
        """Which attributes are content, or too long to be the id that their key says."""
        classes, which = self._classes(keys)
        by_key = pa.array([content for _, content in classes], pa.bool_()).take(which)
        ids = pa.array([treatment in ("id", "user") for treatment, _ in classes], pa.bool_()).take(which)
        long = pc.and_(ids, pc.greater(pc.binary_length(values), _LONGEST_ID))
        said = pc.invert(pc.match_substring_regex(values, BARE))
        return pc.fill_null(pc.and_(pc.or_(by_key, long), said), False)

    def _classes(self, keys: pa.Array[Any]) -> tuple[list[tuple[Treatment, bool]], pa.Array[Any]]:
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

    def _values(
        self, keys: pa.Array[Any] | None, values: pa.Array[Any], *, distinct: bool = False
    ) -> tuple[pa.Array[Any], Counter[int]]:
        """The values, redacted, and how many finds each had. `distinct`: most of them are the same."""
        mask = self._suspects(values, distinct=distinct)
        if keys is not None:
            classes, which = self._classes(keys)
            plain = pa.array([treatment == "plain" for treatment, _ in classes], pa.bool_())
            whole = pa.array([treatment in ("user", "secret") for treatment, _ in classes], pa.bool_())
            mask = pc.and_not(pc.or_(mask, whole.take(which)), plain.take(which))
        hits = pc.indices_nonzero(pc.fill_null(mask, False))
        if not len(hits):
            return values, Counter()
        texts = values.take(hits)
        names = keys.take(hits).to_pylist() if keys is not None else [""] * len(hits)
        kinds = self._kinds_of(texts)
        own = self._own_finds(texts.to_pylist())
        done: dict[tuple[str, str], tuple[str, int]] = {}
        found: Counter[int] = Counter()
        new = texts.to_pylist()
        for place, (row, key) in enumerate(zip(hits.to_pylist(), names, strict=True)):
            said = new[place]
            if (key, said) not in done:
                done[key, said] = self._redact(said, key, kinds[place], own)
            new[place], count = done[key, said]
            if count:
                found[row] = count
        if not found:
            return values, found
        replacements = [text for text, row in zip(new, hits.to_pylist(), strict=True) if row in found]
        changed = _mask(found, len(values))
        return pc.replace_with_mask(values, changed, pa.array(replacements, pa.string())), found

    def _suspects(self, values: pa.Array[Any], *, distinct: bool) -> pa.Array[Any]:
        """Which values may hold something."""
        if distinct:
            encoded = values.dictionary_encode()
            return self._suspects(encoded.dictionary, distinct=False).take(encoded.indices)
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

    def _kinds_of(self, texts: pa.Array[Any]) -> list[frozenset[str]]:
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
        every = pa.array([_unmarked(leaf) for leaf in leaves], pa.string())
        for name, pattern in self._own.items():
            marked = pc.replace_substring_regex(every, f"({pattern})", rf"{_MARKS[0]}\1{_MARKS[1]}")
            for finds, text in zip(leaves.values(), marked.to_pylist(), strict=True):
                finds.extend(Find(start, end, name) for start, end in _between_marks(text))
        if self._rules.finder is not None:
            for leaf, finds in leaves.items():
                finds.extend(one for one in self._rules.finder.find(leaf) if self._methods[one.kind] != "off")
        return leaves

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
        shielded = self._shield(text)
        finds = _without_overlaps([*own.get(shielded, ()), *find(shielded, kinds, key)])
        if not finds:
            return text, 0
        if any(self._methods[one.kind] == "drop" for one in finds):
            return DROPPED, len(finds)
        parts, place = [], 0
        for start, end, kind in finds:
            parts += [text[place:start], self._replace(kind, text[start:end])]
            place = end
        return "".join([*parts, text[place:]]), len(finds)

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


def _without_overlaps(finds: Sequence[Find]) -> list[Find]:
    """Of finds that overlap, the first given counts; in the text's order."""
    taken: list[Find] = []
    for one in finds:
        if one.start < one.end and all(one.end <= other.start or one.start >= other.end for other in taken):
            taken.append(one)
    return sorted(taken)


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
    return bool(re.search(r"(?<![\[\\])\^|(?<!\\)\$|\\[AzbB]", pattern))


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


# --- Arrow ----------------------------------------------------------------------------------------


def _whole(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """A column in one piece, of texts that are plain."""
    one = column.combine_chunks()
    whole = one.chunk(0) if isinstance(one, pa.ChunkedArray) else one
    return whole.cast(pa.string()) if pa.types.is_dictionary(whole.type) else whole


def _mask(rows: Iterable[int], size: int) -> pa.Array[Any]:
    """True at these rows."""
    bits = bytearray((size + 7) // 8)
    for row in rows:
        bits[row >> 3] |= 1 << (row & 7)
    return pa.Array.from_buffers(pa.bool_(), size, [None, pa.py_buffer(bits)])


def _by_row(offsets: pa.Array[Any], found: Counter[int]) -> Counter[int]:
    """Finds by the row of a list column, from finds by the place of the element."""
    if not found:
        return found
    starts, rows = offsets.to_pylist(), Counter[int]()
    for place, count in found.items():
        rows[bisect_right(starts, place) - 1] += count
    return rows


def _without(offsets: pa.Array[Any], gone: pa.Array[Any]) -> pa.Array[Any]:
    """The offsets of lists once the elements that are `gone` are left out."""
    kept = pc.cumulative_sum(pc.cast(pc.invert(gone), pa.int32()))
    return pa.concat_arrays([pa.array([0], pa.int32()), kept]).take(offsets)


def _with_counts(column: pa.Array[Any], counts: Counter[int]) -> pa.Array[Any]:
    """Attributes with one more, the count, on these rows; it replaces one of that name."""
    offsets, keys, values = column.offsets.to_pylist(), column.keys, column.items
    new_offsets, new_keys, new_values = [0], [], []
    begun = size = 0
    name = pa.array([COUNT], pa.string())
    begun = offsets[0]
    for row in range(len(column)):
        if row in counts:
            end = offsets[row + 1]
            own = [
                i
                for i, key in enumerate(keys.slice(offsets[row], end - offsets[row]).to_pylist())
                if key == COUNT
            ]
            stop = offsets[row] + own[0] if own else end
            new_keys += [keys.slice(begun, stop - begun), name]
            new_values += [values.slice(begun, stop - begun), pa.array([str(counts[row])], pa.string())]
            begun = stop + 1 if own else end
            if own and begun < end:
                new_keys.append(keys.slice(begun, end - begun))
                new_values.append(values.slice(begun, end - begun))
                begun = end
            size += end - offsets[row] + (0 if own else 1)
        else:
            size += offsets[row + 1] - offsets[row]
        new_offsets.append(size)
    new_keys.append(keys.slice(begun, offsets[-1] - begun))
    new_values.append(values.slice(begun, offsets[-1] - begun))
    build: Callable[..., pa.Array[Any]] = pa.MapArray.from_arrays
    return build(pa.array(new_offsets, pa.int32()), pa.concat_arrays(new_keys), pa.concat_arrays(new_values))
