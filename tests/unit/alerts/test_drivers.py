"""What an excess is made of adds up to it, whatever the counts."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.reasons.drivers import Part, decompose

PARTS = st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1e6, allow_nan=False)), max_size=30).map(
    lambda found: [Part(f"p{nth}", negative, before, {}) for nth, (negative, before) in enumerate(found)]
)


@given(parts=PARTS, extra=st.integers(-50, 500), expected=st.floats(0.01, 1e4), others=st.floats(0, 1e6))
def test_parts_and_the_rest_are_the_excess(parts: list[Part], extra: int, expected: float, others: float) -> None:
    """To the hundredth, also where parts overlap, are estimated, or nothing is known of before."""
    observed = max(0, sum(part.negative for part in parts) + extra)
    before = sum(part.before for part in parts) + others
    drivers, other = decompose(parts, observed=observed, expected=expected, before=before)
    told = [*drivers, other]
    assert sum(round(100 * one["excess"]) for one in told) == 100 * observed - round(100 * expected)
    assert sum(one["negative"] for one in told) == observed
    assert sum(round(100 * one["usual"]) for one in told) == round(100 * expected)
    assert other["parts"] + len(drivers) == len(parts)


def test_the_largest_come_first_and_the_usual_is_shared_out() -> None:
    """A part that had half of the negatives before is expected to have half of what is expected now."""
    parts = [Part("calm", 10, 100.0, {}), Part("angry", 40, 100.0, {}), Part("new", 5, 0.0, {"total": 6})]
    drivers, other = decompose(parts, observed=55, expected=20.0, before=200.0)
    assert [(one["name"], one["usual"], one["excess"]) for one in drivers] == [
        ("angry", 10.0, 30.0),
        ("new", 0.0, 5.0),
    ]
    assert drivers[0]["share"] == 0.8571
    assert drivers[1]["total"] == 6
    assert (other["negative"], other["usual"], other["excess"]) == (10, 10.0, 0.0)


def test_without_a_past_the_rest_carries_what_was_expected() -> None:
    """Nothing is known of the parts then, so each has all its negatives as excess."""
    drivers, other = decompose([Part("a", 30, 0.0, {})], observed=30, expected=4.0, before=0)
    assert (drivers[0]["excess"], other["excess"]) == (30.0, -4.0)


def test_ranked_parts_are_told_however_little_they_explain() -> None:
    """Stories count one voice at most; they keep their order, and the rest still makes up the excess."""
    parts = [Part("copied", 0, 0.0, {"copies": 50}), Part("told", 1, 0.0, {"copies": 9}), Part("old", 0, 2.0, {})]
    drivers, other = decompose(parts, observed=40, expected=4.0, before=8, is_ranked=True, most=2)
    assert [(one["name"], one["negative"], one["excess"]) for one in drivers] == [
        ("copied", 0, 0.0),
        ("told", 1, 1.0),
    ]
    assert (other["parts"], other["negative"], other["excess"]) == (1, 39, 35.0)
