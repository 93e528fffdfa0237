import pytest

from models.pace import Pace


def test_without_a_limit_the_rate_follows_the_steps() -> None:
    """Linear warm-up, linear decay to zero; the clock has no say."""
    pace = Pace(None)
    assert pace.learning_rate_factor(0, 100, 10) == pytest.approx(0.1)
    assert pace.learning_rate_factor(10, 100, 10) == pytest.approx(1.0)
    assert pace.learning_rate_factor(55, 100, 10) == pytest.approx(0.5)
    assert pace.learning_rate_factor(100, 100, 10) == 0.0


def test_a_slow_machine_has_decayed_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time gone halves the rate, however few steps were done."""
    pace = Pace(10)
    monkeypatch.setattr(pace, "spent", lambda: 0.5)
    assert pace.learning_rate_factor(20, 10_000, 10) == pytest.approx(0.5)
    monkeypatch.setattr(pace, "spent", lambda: 1.2)
    assert pace.learning_rate_factor(21, 10_000, 10) == 0.0
