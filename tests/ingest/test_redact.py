"""Personal data and secrets: what is found, what is not, and what is left of the rest."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ConfigError, ExtraMissing
from assay.ingest.columns import SPAN_SCHEMA
from assay.ingest.patterns import KINDS, Find, find
from assay.ingest.people import PeopleFinder, open_finder
from assay.ingest.redact import COUNT, Redactor, Rules
from assay.store.telemetry.conventions import KEYS, Field

MASK = Redactor(Rules())
HASH = Redactor(Rules(method="hash", key=b"a key", hash_user_ids=True))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to john.doe+x@mail.example.co.uk, please", "write to [email], please"),
        ("mailto:jörg@exämple.de.", "mailto:[email]."),
        ("card 4111 1111 1111 1111, 4111-1111-1111-1111", "card [card], [card]"),
        ("amex 3782 822463 10005 and 4222222222222", "amex [card] and [card]"),
        ("IBAN DE89 3704 0044 0532 0130 00 is mine", "IBAN [iban] is mine"),
        ("GB82WEST12345698765432.", "[iban]."),
        ("call +49 (0)30 1234567 or (415) 555-2671", "call [phone] or [phone]"),
        ("06 12 34 56 78, 020 7946 0958, 0171/1234567", "[phone], [phone], [phone]"),
        ("my phone is 5551234567", "my phone is [phone]"),
        ("from 203.0.113.9 and 2001:db8::ff00:42:8329", "from [ip] and [ip]"),
        ("AKIAIOSFODNN7EXAMPLE sk-proj-abcdefghijklmnop123", "[secret] [secret]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[secret]"),
        ("xoxb-123456789012-abcdefABCDEF AIzaSyA1234567890abcdefghijklmnopqrstu", "[secret] [secret]"),
        ("sk_live_abcdefghij1234567890", "[secret]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-1", "[secret]"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: [secret]"),
        ("postgres://bob:s3cr3t@db1:5432/x", "postgres://bob:[secret]@db1:5432/x"),
        ("?user=1&password=abcdef&x=2", "?user=1&password=[secret]&x=2"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[secret]"),
    ],
)
def test_finds(text: str, redacted: str) -> None:
    assert MASK.text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890 of 2026-11-26 at 09:30:00, ticket 20261126093012",
        "4111111111111112 is no card, 1764150000000000000 a time, 1764150000123 another",
        "conv-12345678901234567890 and 550e8400-e29b-41d4-a716-446655440000",
        "DE89 3704 0044 0532 0130 01 has a wrong check",
        "version 1.2.3.4, section 3.2.4.1, 127.0.0.1 and 12:30:45",
        "react@18.2.0, logo@2x.png, @everyone",
        "std::vector, a::b, Cafe::Bed",
        "password: please reset it; your api_key is missing",
        "3.03873675 + 16.890625, from 05/06/2026 to 07/06/2026 10 12",
        "between 300 400 5000 and 123-456-7890",
        "a phone call on 2026-11-26 10:30, call about order 12345678",
    ],
)
def test_leaves_alone(text: str) -> None:
    assert MASK.text(text) == text


def test_hashes_join_and_need_the_key() -> None:
    first, again = HASH.text("a JANE@x.org b"), HASH.text("jane@x.org")
    assert first == f"a {again} b"
    assert again.startswith("[email:")
    assert HASH.text("4111 1111 1111 1111") == HASH.text("4111111111111111")
    assert Redactor(Rules(method="hash", key=b"another")).text("jane@x.org") != again
    with pytest.raises(ConfigError, match="needs a key"):
        Redactor(Rules(method="hash"))


def test_drop_takes_the_whole_text_and_kinds_have_their_own_method() -> None:
    redactor = Redactor(Rules(method="off", methods={"card": "drop", "email": "mask"}))
    assert redactor.text("pay 4111 1111 1111 1111 for a@b.org") == "[dropped]"
    assert redactor.text("a@b.org at 203.0.113.9") == "[email] at 203.0.113.9"
    with pytest.raises(ConfigError, match="no kind `cards`"):
        Redactor(Rules(methods={"cards": "mask"}))


MESSAGES = {
    "messages": [{"role": "user", "content": 'say\n"a@b.org"\nor call +44 20 7946 0958'}],
    "card": 4111111111111111,
    "phone": "5551234567",
    "api_key": "whatever it is",
    "nested": json.dumps({"to": "x\ny@z.org", "n": [1.50, None, True]}),
    "kept": "ünï \u2028 \\ / é",
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_stays_json(ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(MESSAGES, ensure_ascii=ascii_only, indent=indent)
    said = json.loads(MASK.text(text))
    assert said["messages"][0]["content"] == 'say\n"[email]"\nor call [phone]'
    assert (said["card"], said["phone"], said["api_key"]) == ("[card]", "[phone]", "[secret]")
    assert json.loads(said["nested"]) == {"to": "x\n[email]", "n": [1.5, None, True]}
    assert said["kept"] == MESSAGES["kept"]
    assert MASK.text(json.dumps(text)) == json.dumps(MASK.text(text))


def test_json_that_was_cut_off_or_hides_letters() -> None:
    assert MASK.text('[{"content":"mail\\na@b.org"},{"con') == '[{"content":"mail\\n[email]"},{"con'
    assert json.loads(MASK.text('{"a":"\\u0061\\u0040b.org"}')) == {"a": "[email]"}


def test_own_patterns_run_in_re2_and_are_checked() -> None:
    redactor = Redactor(Rules(method="off", patterns={"staff": r"\bEMP-(\d{4})\b", "member": r"^M\d+$"}))
    assert redactor.text("ask EMP-1234, EMP-5678") == "ask [staff], [staff]"
    assert json.loads(redactor.text('{"id":"M12","t":"by\\nEMP-1234"}')) == {
        "id": "[member]",
        "t": "by\n[staff]",
    }
    assert redactor.text("a@b.org") == "a@b.org"
    for pattern in ("(?=x)y", "(", "x*"):
        with pytest.raises(ConfigError, match=r"redaction\.patterns\.bad"):
            Redactor(Rules(patterns={"bad": pattern}))
    with pytest.raises(ConfigError, match="taken"):
        Redactor(Rules(patterns={"email": "x"}))


class Analyzer:
    """Stands in for Presidio: knows one name."""

    def analyze(self, text: str, language: str, entities: list[str]) -> list[Any]:
        class Result:
            start, end, entity_type, score = text.find("Jane"), text.find("Jane") + 4, entities[0], 0.9

        return [Result] if "Jane" in text else []


def test_names_come_from_presidio_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(Rules(method="off", finder=PeopleFinder(Analyzer(), ["PERSON"], "en")))
    assert json.loads(redactor.text('{"said": "I am\\nJane"}')) == {"said": "I am\n[person]"}
    monkeypatch.setattr("assay.ingest.people.find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"assay\[pii\]"):
        open_finder(["PERSON"], "en")


# --- tables ---------------------------------------------------------------------------------------


def spans(*rows: dict[str, Any]) -> pa.Table:
    """Rows of `otel_traces` with these columns; the others are empty."""
    full = []
    for row in rows:
        some: dict[str, Any] = {}
        for column in SPAN_SCHEMA:
            kind = column.type
            empty: Any = [] if pa.types.is_list(kind) or pa.types.is_map(kind) else ""
            some[column.name] = 0 if pa.types.is_timestamp(kind) or pa.types.is_integer(kind) else empty
        full.append(some | row)
    return pa.Table.from_pylist(full, schema=SPAN_SCHEMA)


SPANS = spans(
    {
        "SpanName": "GET /users/jane@x.org",
        "StatusMessage": "jane@x.org is unknown",
        "ResourceAttributes": [("service.name", "app"), ("process.owner", "jane@x.org")],
        "SpanAttributes": [
            ("gen_ai.usage.input_tokens", "4111111111111111"),
            ("gen_ai.request.model", "sk-looks-like-a-key-0123456789"),
            ("gen_ai.input.messages", '[{"role":"user","content":"I am jane@x.org"}]'),
            ("session.id", "4111111111111111"),
            ("user.id", "jane@x.org"),
            ("http.request.header.authorization", "Basic dXNlcjpwYXNzd29yZA=="),
            ("app.api_key", "k"),
            ("app.plan", "pro"),
        ],
        "Events.Timestamp": [0, 0],
        "Events.Name": ["a", "b"],
        "Events.Attributes": [[("x", "fine")], [("y", "call +44 20 7946 0958")]],
        "Links.TraceId": ["1"],
        "Links.SpanId": ["1"],
        "Links.TraceState": [""],
        "Links.Attributes": [[("z", "203.0.113.9")]],
    },
    {"SpanName": "clean", "SpanAttributes": [("input.value", "hello"), (COUNT, "7")]},
    {"SpanAttributes": [(COUNT, "9"), ("input.value", "mail a@b.org")]},
)


def test_every_column_of_spans() -> None:
    first, second, third = MASK.spans(SPANS).to_pylist()
    attributes = dict(first["SpanAttributes"])
    assert first["SpanName"] == "GET /users/[email]"
    assert first["StatusMessage"] == "[email] is unknown"
    assert dict(first["ResourceAttributes"]) == {"service.name": "app", "process.owner": "[email]"}
    assert attributes["gen_ai.usage.input_tokens"] == attributes["session.id"] == "4111111111111111"
    assert attributes["gen_ai.request.model"] == "sk-looks-like-a-key-0123456789"
    assert attributes["gen_ai.input.messages"] == '[{"role":"user","content":"I am [email]"}]'
    assert attributes["user.id"] == "[email]"
    assert attributes["http.request.header.authorization"] == attributes["app.api_key"] == "[secret]"
    assert attributes["app.plan"] == "pro"
    assert [dict(one) for one in first["Events.Attributes"]] == [{"x": "fine"}, {"y": "call [phone]"}]
    assert dict(first["Links.Attributes"][0]) == {"z": "[ip]"}
    assert attributes[COUNT] == "8"
    assert second == SPANS.to_pylist()[1]
    assert dict(third["SpanAttributes"]) == {COUNT: "1", "input.value": "mail [email]"}
    assert len(third["SpanAttributes"]) == 2


@pytest.mark.parametrize("redactor", [MASK, HASH, Redactor(Rules(drop_content=True))])
def test_tables_again_and_in_parts(redactor: Redactor) -> None:
    once = redactor.spans(SPANS)
    once.validate(full=True)
    assert once.schema.names == SPANS.schema.names
    assert redactor.spans(once).to_pylist() == once.to_pylist()
    parts = [redactor.spans(SPANS.slice(row, 1)) for row in range(3)]
    assert pa.concat_tables(parts).to_pylist() == once.to_pylist()


def test_user_ids_are_hashed_and_still_join() -> None:
    table = spans(
        {"SpanAttributes": [("user.id", "u1"), ("metadata", '{"user_id": "u1", "plan": "pro"}')]},
        {"SpanAttributes": [("langfuse.user.id", "u1")]},
        {"SpanAttributes": [("enduser.id", "u2")]},
    )
    one, two, three = (dict(row["SpanAttributes"]) for row in HASH.spans(table).to_pylist())
    assert one["user.id"] == two["langfuse.user.id"] != three["enduser.id"]
    assert one["user.id"].startswith("[user:")
    assert json.loads(one["metadata"]) == {"user_id": one["user.id"], "plan": "pro"}


@pytest.mark.parametrize("key", [key for key in KEYS[Field.USER] if key.isascii()])
def test_every_key_of_a_user_is_known(key: str) -> None:
    (row,) = HASH.spans(spans({"SpanAttributes": [(key, "u1")]})).to_pylist()
    assert dict(row["SpanAttributes"])[key].startswith("[user:")


def test_dropped_content_leaves_numbers_models_and_ids() -> None:
    row = Redactor(Rules(drop_content=True, keep=("app.*",))).spans(SPANS).to_pylist()[0]
    assert dict(row["SpanAttributes"]) == {
        "gen_ai.usage.input_tokens": "4111111111111111",
        "gen_ai.request.model": "sk-looks-like-a-key-0123456789",
        "session.id": "4111111111111111",
        "user.id": "[email]",
        "app.api_key": "k",
        "app.plan": "pro",
        COUNT: dict(row["SpanAttributes"])[COUNT],
    }
    assert row["StatusMessage"] == ""
    assert [dict(one) for one in row["Events.Attributes"]] == [{}, {}]


def test_log_records() -> None:
    table = pa.table(
        {
            "Body": ['{"content":"a@b.org"}', "fine"],
            "LogAttributes": pa.array([[("k", "+44 20 7946 0958")], []], pa.map_(pa.string(), pa.string())),
        }
    )
    first, second = MASK.records(table).to_pylist()
    assert first == {"Body": '{"content":"[email]"}', "LogAttributes": [("k", "[phone]"), (COUNT, "2")]}
    assert second == {"Body": "fine", "LogAttributes": []}
    assert Redactor(Rules(drop_content=True)).records(table).to_pylist()[0]["Body"] == ""


# --- laws -----------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "a@b.org",
        "@",
        "4111 1111 1111 1111",
        "+44 20 7946 0958",
        "call ",
        "5551234567",
        "DE89370400440532013000",
        "203.0.113.9",
        "sk-proj-abcdefghijklmnop123",
        "password=",
        "x1y2z3",
        "[email]",
        "[card:0123456789abcdef]",
        "://u:",
        "Bearer ",
        " ",
        "\n",
        '"',
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\\",
        "\\n",
        "\\u0040",
        "é",
        "1",
        "0049 ",
        "[dropped]",
        "\ufdd0",
        "\ufdd1",
        '{"phone":',
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=12).map("".join)
EVERY = Redactor(
    Rules(method="hash", key=b"k", patterns={"own": r"x\d"}, hash_user_ids=True, methods={"card": "mask"})
)


@given(TEXTS)
def test_redacting_again_changes_nothing(text: str) -> None:
    for redactor in (MASK, EVERY):
        once = redactor.text(text)
        assert redactor.text(once) == once


@given(st.recursive(st.one_of(TEXTS, st.integers(), st.none()), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_json_again(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        json.loads(EVERY.text(text))


@given(TEXTS)
def test_the_sieve_lets_nothing_through(text: str) -> None:
    """What the exact patterns find the first look has found too."""
    if find(text, KINDS) and "[" not in text and "{" not in text and '"' not in text:
        assert MASK.text(text) != text


@pytest.mark.parametrize(
    "seed",
    [
        "a.",
        "@",
        "1 ",
        "1",
        "eyJ",
        "eyJaaaaaaaaa-",
        "sk-",
        "://",
        "password",
        "-----BEGIN PRIVATE KEY-----",
        "a_",
        "0",
        "01 ",
        "+1",
        "call ",
        ":",
        "::1",
        "1.",
        "DE89",
        "[",
        '"',
        '\\"',
        '{"a":',
        "Bearer ",
        "x@y.",
        "a@b.org ",
    ],
)
def test_no_text_is_slow_to_search(seed: str) -> None:
    """A pattern whose time grows with the square of the text would not come to an end here."""
    text = seed * (200_000 // len(seed))
    assert len(MASK.text(text)) > 0


def test_what_was_no_json_is_none_afterwards() -> None:
    text = 'a@b.org{"phone":4111 1111 1111 11114111 1111 1111 1111'
    once = EVERY.text(text)
    assert EVERY.text(once) == once


def test_finds_that_overlap_become_one() -> None:
    text = "postgres://bob:p4ss@mail.example.org/ a@b.org"
    finds = find(text, KINDS)
    assert finds == [Find(15, 36, "secret"), Find(38, 45, "email")]
