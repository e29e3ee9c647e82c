"""Prices with dates: whose word counts, on which day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from assay.errors import ConfigError
from assay.llm.prices import PricesOn, cost_usd, merged, ordered, read_prices, shipped_prices
from assay.records import Price

DAY = date(2026, 11, 1)


def test_the_shipped_table_is_sound() -> None:
    prices = shipped_prices()
    assert len(prices) == len({(price.model, price.since) for price in prices})
    for price in prices:
        assert price.since >= date(2024, 1, 1)
        assert price.cached is None or price.cached <= price.input
    assert {"gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash"} <= set(PricesOn(prices, DAY))


def test_the_price_of_the_day_counts() -> None:
    prices = (
        Price(model="m", input=10.0, output=40.0, since=date(2025, 4, 16)),
        Price(model="m", input=2.0, output=8.0, since=date(2025, 6, 10)),
    )
    assert "m" not in PricesOn(prices, date(2025, 4, 15))
    assert PricesOn(prices, date(2025, 6, 9))["m"] == (10.0, 40.0)
    assert PricesOn(prices, date(2025, 6, 10))["m"] == (2.0, 8.0)
    assert cost_usd(PricesOn(prices, DAY), "m-2025-04-16", 1_000_000, 1_000_000) == (10.0, True)


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("m", True),
        ("m-2025-01-01", True),
        ("m@20250101", True),
        ("m:latest", True),
        ("m-mini", False),
        ("mm", False),
    ],
)
def test_a_date_at_the_end_of_a_name_changes_nothing(model: str, known: bool) -> None:
    assert (model in PricesOn((Price(model="m", input=1.0, output=1.0),), DAY)) is known


def test_a_teams_word_comes_first_and_longer_names_too() -> None:
    team = (Price(model="m", input=1.0, output=1.0),)
    other = (
        Price(model="m", input=9.0, output=9.0, since=DAY),
        Price(model="m-2025-01-01", input=5.0, output=5.0),
    )
    prices = PricesOn(merged(team, other), DAY)
    assert prices["m"] == (1.0, 1.0)
    assert prices["m-2025-01-01"] == (5.0, 5.0)
    assert [price.model for price in ordered(merged(team, other))] == ["m-2025-01-01", "m"]


def test_a_teams_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "ours"\nsince = 2026-01-01\ninput = 1\noutput = 2.5\ncached = 0.1\n')
    assert read_prices(path) == (
        Price(model="ours", input=1, output=2.5, cached=0.1, since=date(2026, 1, 1)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price]]\nmodel = 'm'\ninput = 1\n", "`output` is missing"),
        ("[[price]]\nmodel = 'm'\ninput = -1\noutput = 1\n", "input = -1"),
        ("[[price]]\nmodel = 'm'\ninput = 1\noutput = 1\nsince = 'x'\n", "since = 'x'"),
        ("[[price]]\nmodel = 'm'\ninput = 1\noutput = 1\ntax = 1\n", "no key `tax`"),
        ("[[prices]]\n", "nothing but"),
        ("x", "no TOML"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_prices(path)
    with pytest.raises(ConfigError, match="can't be read"):
        read_prices(tmp_path / "absent.toml")
