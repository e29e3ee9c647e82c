"""What may stand in [redaction] and [retention]."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.open import make_redactor
from assay.config import load_settings
from assay.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "assay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_is_redacted_unless_asked_for(tmp_path: Path) -> None:
    assert make_redactor(load_settings(write(tmp_path, ""), {})) is None
    for asked in (
        'method = "mask"',
        'methods = { card = "mask" }',
        'content = "drop"',
        "[redaction.patterns]\nx = 'y'",
    ):
        assert make_redactor(load_settings(write(tmp_path, f"[redaction]\n{asked}\n"), {})) is not None


def test_the_key_comes_from_the_environment_alone(tmp_path: Path) -> None:
    path = write(tmp_path, '[redaction]\nmethod = "hash"\nkey_env = "OUR_KEY"\n')
    with pytest.raises(ConfigError, match="needs a key"):
        make_redactor(load_settings(path, {}))
    settings = load_settings(path, {"OUR_KEY": "k"})
    redactor = make_redactor(settings)
    assert redactor is not None
    assert redactor.text("a@b.org").startswith("[email:")
    assert "'k'" not in repr(settings)
    with pytest.raises(ConfigError, match="unknown key `redaction_key`"):
        load_settings(write(tmp_path, 'redaction_key = "k"\n'), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("facts_days = 9\n", "facts_days needs content_days"),
        ("content_days = 10\nfacts_days = 9\n", "facts_days needs content_days"),
        ("scores_days = 9\n", "scores_days needs facts_days"),
        ("content_days = 1\nfacts_days = 10\nscores_days = 9\n", "scores_days needs facts_days"),
        ("content_days = -1\n", "content_days"),
    ],
)
def test_what_depends_on_more_goes_later(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(write(tmp_path, f"[retention]\n{text}"), {})
    load_settings(write(tmp_path, "[retention]\ncontent_days = 1\nfacts_days = 2\nscores_days = 2\n"), {})
