"""Speed: twice as slow is refused, a noisy machine refuses nobody. Time is injected."""

import random
from collections.abc import Callable, Sequence

import pytest

from models.gate_options import GateOptions
from models.gate_speed import MORE_TURNS, TURNS, check_speed, measure_speed, slowdown

OPTIONS = GateOptions()
TEXTS = [f"text {nth}" for nth in range(100)]


class Machine:
    """A clock that runs while somebody reads."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    def reader(self, takes: Callable[[], float]) -> Callable[[Sequence[str]], None]:
        def read(texts: Sequence[str]) -> None:
            assert len(texts) == 64
            self.seconds += takes()

        return read


def test_twice_as_slow_is_refused_after_a_second_look() -> None:
    """With both figures, and what would have passed."""
    machine = Machine()
    speed = measure_speed(
        machine.reader(lambda: 0.5), machine.reader(lambda: 1.0), TEXTS, OPTIONS, clock=machine.clock
    )
    assert speed is not None
    assert (speed.slowdown, speed.turns) == (2.0, TURNS + MORE_TURNS)
    (check,) = check_speed(speed, OPTIONS)
    assert check.reason == (
        "refused: speed: 64 texts a second, champion 128; takes 2 times as long, may take 1.5 (21 turns on 64 texts)"
    )


@pytest.mark.parametrize(("factor", "noise", "is_passed"), [(1.0, 4.0, True), (1.0, 1.4, True), (2.0, 1.4, False)])
def test_noise_refuses_nobody_and_hides_nobody(factor: float, noise: float, is_passed: bool) -> None:
    """Every reading takes up to so many times as long as it needs: equals pass, twice as slow does not, each time."""
    chance = random.Random(5)
    for _ in range(50):
        machine = Machine()
        champion = machine.reader(lambda: chance.uniform(1, noise))
        candidate = machine.reader(lambda: factor * chance.uniform(1, noise))
        speed = measure_speed(champion, candidate, TEXTS, OPTIONS, clock=machine.clock)
        assert check_speed(speed, OPTIONS)[0].is_passed is is_passed


def test_one_disturbed_turn_does_not_count() -> None:
    """The lower of two estimates is taken: a pause in the champion's best turn, or in most of the candidate's."""
    assert slowdown([(1, 1), (1, 9), (1, 9)]) == 1
    assert slowdown([(0.1, 1), (1, 1), (1, 1)]) == 1


def test_without_texts_it_is_not_judged() -> None:
    """Nothing is read, nothing is decided."""
    machine = Machine()
    read = machine.reader(lambda: 1.0)
    assert measure_speed(read, read, [], OPTIONS, clock=machine.clock) is None
    assert check_speed(None, OPTIONS)[0].is_passed is None
