"""A candidate's way through its shadow, in injected time: promoted, held back, overtaken, rejected."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text

from core.clock import MovableClock
from core.errors import CheckpointError, NotFoundError
from core.settings import Settings, ShadowSettings
from core.watchlists import Watchlist
from opinion import shadowing
from opinion.shadow_comparison import comparison_of
from opinion.shadow_scoring import visit
from storage import (
    erasure,
    model_switches,
    model_versions,
    shadow_disagreements,
    shadow_runs,
    training_runs,
    watchlists,
)
from storage.engine import connect
from storage.shadow_runs import ShadowRun
from storage.tables import shadow_verdict, training_run
from tests.support.records import says
from tests.support.rows import store_rows
from tests.support.shadows import (
    CANDIDATE,
    CHAMPION,
    START,
    Scripted,
    document,
    documents,
    entered,
    is_bad,
    visited,
    with_champion,
)

NOW = START + timedelta(hours=3)
LATER = NOW + timedelta(hours=1)
SETTINGS = Settings(shadow=ShadowSettings(documents=50, fewest_documents=100, slower=1000))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def with_settings(**changes: object) -> Settings:
    return Settings(shadow=SETTINGS.shadow.model_copy(update=changes))


def champion(engine: Engine) -> str:
    with engine.connect() as connection:
        found = model_versions.champion(connection)
    assert found is not None
    return found.version


def newest(engine: Engine) -> ShadowRun:
    with engine.connect() as connection:
        return shadow_runs.newest(connection, 1)[0]


def live(engine: Engine, count: int = 80) -> None:
    """Documents that come after the shadow began."""
    store_rows(engine, documents(count, start=NOW, key="live"))


def more_negative(text_read: str) -> bool:
    """Every negative of the champion, and a third as many again."""
    return is_bad(text_read) or (text_read.startswith("calm1") and sum(text_read.encode()) % 3 == 0)


def test_an_equal_candidate_is_promoted(engine: Engine) -> None:
    """It reads what was stored lately, then live documents; the detector knows at once how the two compare."""
    with_champion(engine, documents(300))
    run = entered(engine, SETTINGS, NOW)
    first = visited(engine, run, SETTINGS, NOW, is_bad)
    assert (first.state, first.live_scored) == ("scoring", 0)
    assert 290 <= first.scored <= 300, "all but the last two minutes"
    assert champion(engine) == CHAMPION
    live(engine)
    done = visited(engine, run, SETTINGS, LATER, is_bad)
    assert (done.state, done.decided_by) == ("promoted", "shadow")
    assert done.ended_at == LATER
    assert champion(engine) == CANDIDATE
    assert done.reasons[0].startswith("passed: ")
    with engine.connect() as connection:
        promotion = model_versions.to_announce(connection)
        known = model_switches.overlaps(connection)[CHAMPION, CANDIDATE]["", ""]
        figures = connection.execute(text("SELECT * FROM bi.shadow")).one()
    assert promotion is not None
    assert promotion.reason.startswith(f"shadow run {run}: passed")
    comparison = comparison_of(done)
    assert comparison is not None
    assert known == (comparison.negative_old, comparison.negative_new)
    assert (comparison.sentiment.agreement, comparison.sentiment.kappa) == (1.0, 1.0)
    assert (figures.state, figures.documents, figures.sentiment_kappa) == ("promoted", done.scored, 1.0)


def test_a_third_more_negatives_are_held_back(engine: Engine) -> None:
    """The champion stays; the reason has both figures, and a person may still promote or reject."""
    with_champion(engine, documents(300))
    run = entered(engine, SETTINGS, NOW)
    live(engine)
    held = visited(engine, run, SETTINGS, LATER, more_negative)
    assert (held.state, held.ended_at) == ("waiting", None)
    assert held.reasons[0].startswith("held back: ")
    assert "negatives where the champion finds" in held.reasons[0]
    assert champion(engine) == CHAMPION
    comparison = comparison_of(held)
    assert comparison is not None
    assert 0.2 < comparison.negative_change < 0.5
    with engine.connect() as connection:
        report = shadow_disagreements.report(connection, held)
    assert {one["kind"] for one in report["disagreements"]} == {"became negative"}
    assert all(one["text"].startswith("calm1") for one in report["disagreements"])


def test_a_change_that_chance_explains_holds_nobody_back(engine: Engine) -> None:
    """Three negatives more of eight are many in percent, and nothing."""
    few = [one for one in documents(300) if one.sentiment == "neutral" or int(one.id.split(":")[1]) % 40 == 0]
    with_champion(engine, few)
    run = entered(engine, SETTINGS, NOW)
    live(engine, 68)
    extra = {f"live:{nth}" for nth in (5, 9, 13)}
    texts = {one.text for one in documents(80, start=NOW, key="live") if one.id in extra}
    done = visited(engine, run, with_settings(documents=40), LATER, lambda read: is_bad(read) or read in texts)
    assert done.state == "promoted"


def test_what_is_read_goes_on_where_it_was(engine: Engine) -> None:
    """Several visits judge every document once."""
    with_champion(engine, documents(200))
    run = entered(engine, SETTINGS, NOW)
    visited(engine, run, SETTINGS, NOW, is_bad)
    again = visited(engine, run, SETTINGS, NOW, is_bad)
    assert again.state == "scoring"
    assert 0 < again.scored <= 200
    live(engine, 20)
    third = visited(engine, run, SETTINGS, LATER, is_bad)
    assert third.live_scored > 0
    with engine.connect() as connection:
        kept = connection.scalars(select(shadow_verdict.c.document_id)).all()
    assert len(kept) == len(set(kept)) == third.scored


def test_a_quiet_stream_decides_nothing(engine: Engine) -> None:
    """When time is up with too few documents, a person has to decide; without any, too."""
    with_champion(engine, documents(40))
    run = entered(engine, SETTINGS, NOW)
    done = visited(engine, run, SETTINGS, NOW + timedelta(hours=25), is_bad)
    assert done.state == "waiting"
    assert done.reasons[0].startswith("only 0 documents")


def test_manual_promotion_is_left_to_a_person(engine: Engine) -> None:
    """Nothing broken and still no switch; promoting by hand ends the shadow with who did it."""
    settings = with_settings(promote="manual")
    with_champion(engine, documents(300))
    run = entered(engine, settings, NOW)
    live(engine)
    waiting = visited(engine, run, settings, LATER, is_bad)
    assert (waiting.state, waiting.reasons[0]) == (
        "waiting",
        "no bound was broken; promotion is left to a person (OPINION_SHADOW__PROMOTE)",
    )
    with engine.begin() as connection:
        model_versions.promote(connection, CANDIDATE, reason="looks right", by="li")
        assert shadowing.close_if_overtaken(connection, now=LATER) is None
    ended = newest(engine)
    assert (ended.state, ended.decided_by, ended.reasons[-1]) == ("promoted", "li", "li: looks right")


def test_another_champion_ends_a_shadow(engine: Engine) -> None:
    """After a rollback or another promotion the comparison is with nobody who reads: closed, with the reason."""
    with_champion(engine, documents(300))
    run = entered(engine, SETTINGS, NOW)
    visited(engine, run, SETTINGS, NOW, is_bad)
    with engine.begin() as connection:
        model_versions.register(connection, "other-3", "other-3", origin="test")
        model_versions.promote(connection, "other-3", reason="rollback from champion-1", by="li")
    live(engine)
    ended = visited(engine, run, SETTINGS, LATER, is_bad)
    assert ended.state == "expired"
    assert ended.reasons == ["the champion is other-3 now, not champion-1: rollback from champion-1 (li)"]
    assert champion(engine) == "other-3"


def test_a_newer_candidate_takes_the_place(engine: Engine) -> None:
    """One at a time: the older one ends, saying so, and its verdicts go."""
    with_champion(engine, documents(100))
    run = entered(engine, SETTINGS, NOW)
    visited(engine, run, SETTINGS, NOW, is_bad)
    with engine.begin() as connection:
        model_versions.register(connection, "newer-3", "newer-3", origin="test")
    entered(engine, SETTINGS, LATER, "newer-3")
    with engine.connect() as connection:
        newer, older = shadow_runs.newest(connection)
        assert connection.scalars(select(shadow_verdict.c.run_id)).all() == []
    assert (older.state, older.reasons) == ("expired", ["the newer candidate newer-3 took its place"])
    assert (newer.candidate, newer.state) == ("newer-3", "scoring")


def test_rejected_for_good(engine: Engine) -> None:
    """A rejected candidate is not read for any more; what is not in shadow cannot be rejected."""
    with_champion(engine, documents(300))
    run = entered(engine, SETTINGS, NOW)
    shadowing.reject(engine, CANDIDATE, reason="too gloomy", by="li", now=NOW)
    ended = visited(engine, run, SETTINGS, NOW, is_bad)
    assert (ended.state, ended.decided_by, ended.reasons, ended.scored) == ("rejected", "li", ["too gloomy"], 0)
    with pytest.raises(NotFoundError, match="nothing is"):
        shadowing.reject(engine, CANDIDATE, reason="again", by="li", now=NOW)


def test_a_candidate_that_fails_on_documents_is_held_back(engine: Engine) -> None:
    """One document that it cannot take costs no other its verdict, and is counted."""

    def fails(read: str) -> bool:
        if read == poison:
            raise RuntimeError("this text breaks the model")
        return is_bad(read)

    rows = documents(300)
    poison = rows[77].text
    with_champion(engine, rows)
    run = entered(engine, SETTINGS, NOW)
    live(engine)
    held = visited(engine, run, SETTINGS, LATER, fails)
    assert (held.state, held.failures) == ("waiting", 1)
    assert held.reasons[0] == "held back: the candidate failed on 1 documents, may fail on 0"


def test_the_window_and_the_share_are_bounded(engine: Engine) -> None:
    """Of a fast stream the newest documents make the window, and of what follows a share is read."""
    with_champion(engine, documents(300))
    settings = with_settings(window_documents=100, per_minute=1)
    entered(engine, settings, NOW)
    run = newest(engine)
    assert run.window_from is not None
    with engine.connect() as connection:
        assert run.live_from is not None
        assert 90 < shadow_runs.pending(connection, run, run.live_from) <= 100
    assert run.share == pytest.approx(0.8 / 2, rel=0.1), "two a minute come, one may be read"
    live(engine, 200)
    with engine.connect() as connection:
        assert 130 < shadow_runs.pending(connection, run, LATER + timedelta(hours=1)) < 220


def test_the_reading_keeps_its_pace(engine: Engine) -> None:
    """No more documents a minute than configured: after each piece it sleeps."""
    with_champion(engine, documents(200))
    settings = with_settings(per_minute=120)
    run = entered(engine, settings, NOW)
    slept: list[float] = []
    models = {one: Scripted(one, is_bad) for one in (CHAMPION, CANDIDATE)}
    visit(engine, run, settings, MovableClock(NOW), slept.append, lambda _, path: models[path])
    scored = newest(engine).scored
    assert sum(slept) == pytest.approx(scored / 2, abs=5), "half a second for each document"


def test_the_training_run_hears_of_the_promotion(engine: Engine) -> None:
    """Its candidate was not promoted when it ended; when the shadow promotes it, it was."""
    with_champion(engine, documents(300))
    with engine.begin() as connection:
        trained = training_runs.start(connection, champion=CHAMPION, last_label_id=1)
        training_runs.finish(connection, trained, reasons=["passed"], candidate=CANDIDATE)
        run = shadowing.enter(
            connection, CANDIDATE, CHAMPION, training_run=trained, settings=SETTINGS.shadow,
            lateness=SETTINGS.detect.lateness, now=NOW,
        )  # fmt: skip
    live(engine)
    visited(engine, run, SETTINGS, LATER, is_bad)
    with engine.connect() as connection:
        assert connection.scalar(select(training_run.c.is_promoted)) is True


def test_an_erased_document_leaves_the_shadow(engine: Engine) -> None:
    """What was said of it goes with it."""
    with_champion(engine, documents(100))
    run = entered(engine, SETTINGS, NOW)
    visited(engine, run, SETTINGS, NOW, is_bad)
    with engine.begin() as connection:
        erasure.erase(connection, ["post:4"])
        assert "post:4" not in connection.scalars(select(shadow_verdict.c.document_id)).all()


def test_a_champion_whose_folder_is_gone_is_no_fault_of_the_candidate(engine: Engine) -> None:
    """Then only the speed is not compared, and the report says so."""
    with_champion(engine, documents(300))
    run = entered(engine, SETTINGS, NOW)
    live(engine)

    def load(settings: Settings, path: str) -> Scripted:
        if path == CHAMPION:
            raise CheckpointError("gone")
        return Scripted(CANDIDATE, is_bad)

    visit(engine, run, SETTINGS, MovableClock(LATER), lambda seconds: None, load)
    done = newest(engine)
    assert done.state == "promoted"
    assert "the candidate's speed was not compared" in done.reasons


def test_one_process_reads(engine: Engine) -> None:
    """While somebody reads, here or on another machine, nobody else does."""
    with shadow_runs.only_scorer(engine) as is_ours, shadow_runs.only_scorer(engine) as is_theirs:
        assert is_ours
        assert not is_theirs
    with shadow_runs.only_scorer(engine) as is_free:
        assert is_free


def test_the_sentiment_toward_watchlists_is_compared(engine: Engine) -> None:
    """What a document says of whom it mentions is judged by both, as a worker asks for it."""
    rows = [
        document(f"post:{nth}", START + timedelta(minutes=nth), says="bad")._replace(
            text=f"bad 华为 {nth}", mentions=[says("华为")]
        )
        for nth in range(60)
    ]
    with_champion(engine, rows)
    with engine.begin() as connection:
        watchlists.put(connection, [Watchlist("华为", any=("华为",))], by="test")
    run = entered(engine, SETTINGS, NOW)
    read = visited(engine, run, SETTINGS, NOW, lambda read: False)
    with engine.connect() as connection:
        toward = connection.scalars(select(shadow_verdict.c.mentions)).all()
    assert toward[0] == {"华为": ["negative", "neutral"]}
    comparison = comparison_of(read)
    assert comparison is not None
    [slice_] = [one for one in comparison.slices if one.label == "watchlist"]
    assert (slice_.value, slice_.negative_old, slice_.negative_new) == ("华为", slice_.documents, 0)
