from dataclasses import dataclass, field

from streams.offsets import Standing
from streams.watchdog import Watchdog


@dataclass
class Scene:
    """A broker that says what it is told, and a clock that is moved by hand."""

    committed: int = 0
    end: int = 100
    now: float = 0.0
    is_holding: bool = False
    stalls: list[str] = field(default_factory=list)

    def standings(self):
        return {0: Standing(0, self.end, self.committed)}

    def watchdog(self):
        return Watchdog(
            self,
            stall_seconds=30,
            is_holding=lambda: self.is_holding,
            on_stall=self.stalls.append,
            monotonic=lambda: self.now,
        )


def look(scene, watchdog, *, seconds):
    for _ in range(seconds // 5):
        scene.now += 5
        watchdog.look()


def test_lag_without_progress_is_a_stall():
    """A worker that reads nothing while records wait says so, and then ends."""
    scene = Scene()
    watchdog = scene.watchdog()
    look(scene, watchdog, seconds=25)
    assert "100 records wait" in (watchdog.reason() or "")
    assert not scene.stalls
    look(scene, watchdog, seconds=20)
    assert scene.stalls


def test_waiting_for_a_dependency_is_no_stall():
    """A database outage of any length does not end the worker."""
    scene = Scene(is_holding=True)
    look(scene, scene.watchdog(), seconds=600)
    assert not scene.stalls


def test_progress_resets_the_count():
    """A slow worker that still commits is left alone."""
    scene = Scene()
    watchdog = scene.watchdog()
    for _ in range(20):
        look(scene, watchdog, seconds=25)
        scene.committed += 1
    assert not scene.stalls


def test_idle_topic_is_no_stall():
    """Nothing to read is not standing still."""
    scene = Scene(committed=100)
    look(scene, scene.watchdog(), seconds=600)
    assert not scene.stalls
