"""assay.toml is read whole, and what is wrong in it is said with file, key and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config import Settings, find_config, init_project, load_settings
from assay.errors import ConfigError
from assay.sampling.load import load_policy
from assay.store.telemetry.engine import read_dsn


def write(folder: Path, text: str) -> Path:
    path = folder / "assay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    assert settings.telemetry_dsn == f"chdb://{tmp_path.resolve()}/.assay/telemetry"
    assert settings.state_url == f"sqlite:///{tmp_path.resolve()}/.assay/state.db"
    assert set(settings.policies) == {"daily"}


def test_environment_overrides_the_stores_and_the_address(tmp_path: Path) -> None:
    path = write(tmp_path, '[store]\ntelemetry = "chdb:///elsewhere"\n')
    environ = {"ASSAY_TELEMETRY": "clickhouse://h/db", "ASSAY_STATE": "postgresql://h/db", "ASSAY_PORT": "99"}
    settings = load_settings(path, environ)
    assert (settings.telemetry_dsn, settings.state_url) == ("clickhouse://h/db", "postgresql://h/db")
    assert settings.server.port == 99


def test_key_comes_from_the_variable_the_file_names_and_is_never_shown(tmp_path: Path) -> None:
    path = write(tmp_path, '[judge]\napi_key_env = "MY_KEY"\n')
    settings = load_settings(path, {"MY_KEY": "s3cret"})
    assert settings.api_key == "s3cret"
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policies.daily]\nsize = 0\n", "policies.daily.size"),
        ("[polices.daily]\nsize = 1\n", "polices"),
        ("[server]\nport = 'x'\n", "server.port"),
        ("[judge]\nattempts = 99\n", "(got 99)"),
        (f"[words]\nlegal = ['court', '{'x' * 301}']\n", "words.legal.1: String should have at most 300"),
        ("not toml", "can't be read"),
        ("folder = 'x'\n", "unknown key `folder`"),
        ("api_key = 'x'\n", "unknown key `api_key`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_nearest_configuration_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_config(None, below) == path
    assert find_config(tmp_path, below) == path
    with pytest.raises(ConfigError, match="assay init"):
        find_config(tmp_path / "nowhere", below)


def test_init_writes_a_project_that_loads(tmp_path: Path) -> None:
    written = init_project(tmp_path / "shop", "shop")
    assert [path.name for path in written] == ["assay.toml", "metrics.py"]
    settings = load_settings(written[0], {})
    assert settings.project.name == "shop"
    for name, policy in settings.policies.items():
        assert load_policy(name, policy.model_dump(exclude_defaults=False)).name == name


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "metrics.py").write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        init_project(tmp_path, "x")
    assert not (tmp_path / "assay.toml").exists()
    assert (tmp_path / "metrics.py").read_text() == "mine"


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings().project, "name", "x")  # noqa: B010 - the type checker knows it too


@pytest.mark.parametrize("name", ["my#project", "what?", "100%25", "with space", "at@home:8"])
def test_the_store_lies_beside_the_file_whatever_the_folder_s_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "assay.toml").write_text("")
    settings = load_settings(tmp_path / name / "assay.toml", {})
    assert read_dsn(settings.telemetry_dsn).path == (tmp_path / name / ".assay" / "telemetry").resolve()
