import pytest

from core.errors import ConfigError
from core.settings import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPINION_CONFIG", raising=False)


def test_wrong_value_in_file_names_file_and_line(tmp_path):
    """A wrong value stops the start and says where it stands, so that nobody has to search."""
    (tmp_path / "opinion.yaml").write_text("timezone: UTC\nworker:\n  batch_records: many\n")
    with pytest.raises(ConfigError, match=r"opinion\.yaml:3 worker\.batch_records"):
        load_settings()


def test_unknown_key_is_refused(tmp_path):
    """A misspelt setting is an error, not silence."""
    (tmp_path / "opinion.yaml").write_text("worker:\n  batch_record: 3\n")
    with pytest.raises(ConfigError, match=r"opinion\.yaml:2 worker\.batch_record"):
        load_settings()


def test_broken_yaml_names_the_line(tmp_path):
    """A file that is no YAML is reported with its line."""
    (tmp_path / "opinion.yaml").write_text("timezone: UTC\nworker: [1\n")
    with pytest.raises(ConfigError, match=r"opinion\.yaml:\d"):
        load_settings()


def test_environment_wins_over_file(tmp_path, monkeypatch):
    """The environment overrides the file, as operators expect."""
    (tmp_path / "opinion.yaml").write_text("worker:\n  batch_records: 8\n")
    monkeypatch.setenv("OPINION_WORKER__BATCH_RECORDS", "9")
    assert load_settings().worker.batch_records == 9


def test_wrong_environment_value_names_the_variable(monkeypatch):
    """A wrong environment variable is named as the person wrote it."""
    monkeypatch.setenv("OPINION_TIMEZONE", "Mars/Olympus")
    with pytest.raises(ConfigError, match="OPINION_TIMEZONE"):
        load_settings()


def test_secrets_are_masked(monkeypatch):
    """A password in a URL does not show when settings are printed."""
    monkeypatch.setenv("OPINION_DATABASE_URL", "postgresql://u:hunter2@host/db")
    assert "hunter2" not in repr(load_settings())
