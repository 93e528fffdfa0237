"""The line of champions."""

from storage.model_versions import champion_line


def test_two_rollbacks_go_two_steps_back() -> None:
    """A version that was rolled back is not what the next rollback returns to."""
    assert champion_line(["a", "b", "c"]) == ["a", "b", "c"]
    assert champion_line(["a", "b", "c", "b"]) == ["a", "b"]
    assert champion_line(["a", "b", "c", "b", "a"]) == ["a"]


def test_a_new_champion_after_a_rollback_stands_behind_the_old_one() -> None:
    """After a rollback to b and a promotion of d, going back means b."""
    assert champion_line(["a", "b", "c", "b", "d"]) == ["a", "b", "d"]


def test_promoting_the_champion_again_changes_nothing() -> None:
    """The same version twice in a row is one step."""
    assert champion_line(["a", "a", "b", "b"]) == ["a", "b"]
