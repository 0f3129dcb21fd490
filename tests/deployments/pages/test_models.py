"""Models on the page server: the champion, the list of all, and everything about one."""

import json
from dataclasses import dataclass

import pytest

from deployments.pages.server import PageServer
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.promotion.by_hand import promote_by_hand
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from tests.deployments.pages.test_server import PAGE, Answer, get
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.history.builders import BuiltRun, build_run

NBSP = "\u202f"


def text_of(answer: Answer) -> str:
    """The page's text on one line; its status is 200."""
    assert answer.status == 200
    return " ".join(answer.text.split())


def test_the_front_page_leads_to_the_champion(store: ArtifactStore) -> None:
    with PageServer(store.config, port=0) as server:
        assert "None yet: a run promotes its candidate" in text_of(get(server.url, "/"))
        run = build_run(store, name="first")
        champion = run.outcome.promotion.champion_now
        front = text_of(get(server.url, "/"))
        assert f'href="/models/{champion}/"' in front
        assert run.outcome.promotion.reason in front
        promote_by_hand(store, run.models[0], "the <fastest> one", "me")
        front = text_of(get(server.url, "/"))
        assert f'href="/models/{run.models[0].id}/"' in front
        assert f'href="/models/{champion}/"' not in front
        assert "the &lt;fastest&gt; one" in front


@dataclass(frozen=True)
class Stored:
    """A run, after which a person made its first network the champion, and one more network."""

    store: ArtifactStore
    run: BuiltRun
    unmeasured: ModelRef


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("models"))))
    run = build_run(store, name="first <run>")
    promote_by_hand(store, run.models[0], "smaller", "me")
    late = build_model(store, run.outcome.trained.prepared.snapshot, "late", 1.0, 77)
    return Stored(store, run, late)


def test_models_are_listed_with_roles_and_intervals(stored: Stored) -> None:
    store, run = stored.store, stored.run
    champion = run.outcome.promotion.champion_now
    with PageServer(store.config, port=0) as server:
        page = get(server.url, "/models/").text
    rows = {row.split('href="/models/')[1].split("/")[0]: row for row in page.split("<tr>")[2:]}
    assert set(rows) == {*store.list_ids(ModelRef)}
    assert "champion before" in rows[str(champion)]
    assert "✓</span>champion<" in rows[run.models[0].id]
    info = store.info(run.outcome.trained.evaluations[0])
    for split in ("validation", "test"):
        found = info[split]
        assert f"{100 * found['accuracy']:.1f}{NBSP}%" in rows[run.models[0].id]
        interval = f"{100 * found['low']:.1f} to {100 * found['high']:.1f}{NBSP}%"
        assert interval in rows[run.models[0].id]
    assert "not evaluated" in rows[stored.unmeasured.id]
    ensemble = run.outcome.trained.ensemble.ensembles[0]
    crossed = store.info(ensemble)["cross_validated_accuracy"]
    assert f"cross-validated {100 * crossed:.1f}{NBSP}%" in rows[ensemble.id]


def test_the_page_of_a_network_says_what_it_reaches_and_where_it_is_from(stored: Stored) -> None:
    store, run = stored.store, stored.run
    network, snapshot = run.models[0], run.outcome.trained.prepared.snapshot
    with PageServer(store.config, port=0) as server:
        page = text_of(get(server.url, f"/models/{network.id}/"))
    assert "<h2>Recognised images of each class</h2>" in page
    assert page.count("<td>disgust</td>") == 1
    assert "Loss and accuracy by epoch" in page
    assert f'href="/datasets/{snapshot.id}/"' in page
    assert f'href="/runs/{run.record.artifacts.report}/"' in page
    assert "first &lt;run&gt;" in page
    assert "<td>now</td><td>smaller" in page
    assert f"ferflow predict PICTURE --model {network.id} --store {store.url}" in page
    assert "ferflow models promote" not in page, "it is the champion"
    assert f'href="/models/{network.id}/curve.csv"' in page


def test_the_page_of_an_ensemble_leads_to_its_members_and_has_an_honest_accuracy(
    stored: Stored,
) -> None:
    store, run = stored.store, stored.run
    ensemble = run.outcome.trained.ensemble.ensembles[0]
    members = store.read_json(ensemble, "members.json")
    with PageServer(store.config, port=0) as server:
        page = text_of(get(server.url, f"/models/{ensemble.id}/"))
    assert members
    for member in members:
        assert f'href="/models/{member["model_id"]}/"' in page
    crossed = store.info(ensemble)["cross_validated_accuracy"]
    assert f"the ensemble has {100 * crossed:.1f} % (cross-validated)" in page
    assert f"ferflow models promote {ensemble.id} --reason TEXT" in page


def test_a_model_whose_files_are_damaged_still_has_a_list_of_files(store: ArtifactStore) -> None:
    store.put(ModelRef, "cnn-1", {"curve.csv": b"epoch\n1\n", "a.html": PAGE}, {}, name="cnn")
    with PageServer(store.config, port=0) as server:
        page = text_of(get(server.url, "/models/cnn-1/"))
        assert 'href="/models/cnn-1/curve.csv"' in page
        assert "<h2>Accuracy" not in page
        assert 'href="/models/cnn-1/"' in get(server.url, "/models/").text
        assert get(server.url, "/models/absent/").status == 404


def test_a_curve_of_another_version_is_not_drawn(store: ArtifactStore) -> None:
    model = build_model(store, build_snapshot(store, 350), "small", 1.0, 1)
    place = store.local_root / "models" / model.id / "artifact.json"
    described = json.loads(place.read_text())
    with PageServer(store.config, port=0) as server:
        assert "<h2>Training</h2>" in get(server.url, f"/models/{model.id}/").text
    entry = store.put(ModelRef, "other", {"curve.csv": b"epoch\n1\n"}, {}, name="other")
    described["files"]["curve.csv"] = store.describe(entry).files["curve.csv"].model_dump()
    place.write_text(json.dumps(described))
    with PageServer(store.config, port=0) as server:
        assert "<h2>Training</h2>" not in text_of(get(server.url, f"/models/{model.id}/"))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_of_several_evaluations_the_newest_counts(store: ArtifactStore, split: str) -> None:
    import os

    from fer_models.history.stored import stored_models

    snapshot = build_snapshot(store, 350)
    model = build_model(store, snapshot, "small", 1.0, 1)
    refs = [
        evaluate_model(store, snapshot, model, EvaluationConfig(confidence=confidence))
        for confidence in (0.8, 0.99)
    ]
    assert refs[0].id != refs[1].id
    for newest in refs:
        for ref in refs:
            place = store.local_root / "evaluations" / ref.id / "artifact.json"
            time_s = 2_000_000 if ref == newest else 1_000_000
            os.utime(place, (time_s, time_s))
        [found] = stored_models(store)[0]
        measured = getattr(found, split)
        assert measured.low == pytest.approx(store.info(newest)[split]["low"])
