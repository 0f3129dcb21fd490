"""The model card: sections of Mitchell et al. 2019, front matter that Hugging Face reads."""

import pytest
import yaml

from fer_models.evaluation.config import EvaluationConfig
from fer_models.reporting.model_card.card import SECTIONS, ModelCard, model_card
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.reporting.model_card.facts import card_facts
from fer_models.reporting.model_card.markdown import front_matter, markdown
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit


def card_of(
    store: ArtifactStore, name: str = "compact_cnn", config: ModelCardConfig | None = None
) -> ModelCard:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot, name)
    return model_card(card_facts(store, model, EvaluationConfig()), config or ModelCardConfig())


def test_the_sections_are_those_of_the_paper_in_its_order(store: ArtifactStore) -> None:
    text = markdown(card_of(store))
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == list(SECTIONS)


def test_the_figures_are_those_of_the_evaluation(store: ArtifactStore) -> None:
    card = card_of(store)
    assert card.facts.metrics is not None
    test = card.facts.metrics.splits["test"]
    interval = f"{test.accuracy_low:.3f} to {test.accuracy_high:.3f}"
    assert f"| test | {test.n} | {test.accuracy:.3f} | {interval} |" in markdown(card)
    honest = card.facts.metrics.splits["test_without_near_copies"]
    for name, one in honest.per_class.items():
        assert f"| {name} | {one.n} | {one.recall:.3f} |" in markdown(card)
    [brightness] = [one for one in card.facts.metrics.slices if one.column == "brightness"]
    for part in brightness.slices:
        assert f"| brightness: {part.name} | {part.n} | {part.accuracy:.3f} |" in markdown(card)
    assert "Measured: expression, brightness, contrast, sharpness." in markdown(card)


def test_hugging_face_reads_the_front_matter(store: ArtifactStore) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = card_of(store, config=ModelCardConfig(license="cc-by-nc-4.0"))
    read = hub.ModelCard(markdown(card))
    assert read.data.license == "cc-by-nc-4.0"
    assert read.data.pipeline_tag == "image-classification"
    assert read.data.model_name == "compact_cnn"
    measured = {
        (one.dataset_split, one.metric_type): one.metric_value for one in read.data.eval_results
    }
    assert card.facts.metrics is not None
    for name, scores in card.facts.metrics.splits.items():
        assert measured[name, "accuracy"] == pytest.approx(scores.accuracy, abs=1e-4)
        assert measured[name, "f1"] == pytest.approx(scores.macro_f1, abs=1e-4)


def test_what_only_the_makers_know_comes_from_the_settings(store: ArtifactStore) -> None:
    config = ModelCardConfig(
        license="mit",
        intended_use="Counting smiles in a photo booth.",
        data_terms="Photographed with written consent.",
        contact="faces@example.com",
    )
    given, general = markdown(card_of(store, config=config)), markdown(card_of(store))
    for text in ("Counting smiles", "written consent", "faces@example.com", "License: mit"):
        assert text in given
        assert text not in general
    assert "model_card.data_terms is not set" in general
    assert "license: other" in general


def test_names_do_not_break_the_document(store: ArtifactStore) -> None:
    text = markdown(card_of(store, name="a|b <img> *c* [d](e)"))
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["model-index"][0]["name"] == "a|b <img> *c* [d](e)"
    body = text.split("\n---\n", 1)[1]
    assert "<img" not in body
    assert r"\*c\* \[d\](e)" in body


def test_a_model_without_its_dataset_has_a_card_without_figures(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    store.remove_folder(f"datasets/{snapshot.id}")
    text = markdown(model_card(card_facts(store, model, EvaluationConfig()), ModelCardConfig()))
    assert "not in the store any more: no figures" in text
    assert "model-index" not in text
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)


def final_card(
    store: ArtifactStore, fractions: tuple[float, float, float]
) -> tuple[str, ModelCard]:
    """The id of a model, and the card of its final fit."""
    model = build_model(store, build_snapshot(store, fractions=fractions, num_leaks=0))
    final = build_final_fit(store, model)
    return model.id, model_card(card_facts(store, final, EvaluationConfig()), ModelCardConfig())


def test_a_final_fit_has_learned_from_training_and_validation_images(store: ArtifactStore) -> None:
    model, card = final_card(store, (0.6, 0.2, 0.2))
    counts, text = card.facts.split_counts, markdown(card)
    assert f"chosen with {model}" in text
    assert f"Training images: {counts['train'] + counts['validation']:,}" in text
    assert f"by split: {counts['test']:,} test." in text
    assert front_matter(card)["model-index"]


def test_without_a_test_a_final_fit_has_the_figures_of_the_model_it_repeats(
    store: ArtifactStore,
) -> None:
    model, card = final_card(store, (0.7, 0.3, 0.0))
    assert card.facts.metrics is not None
    assert card.facts.metrics.model_id == model
    text = markdown(card)
    assert f"The figures are those of {model}" in text
    assert "| validation |" in text
    assert "model-index" not in front_matter(card)
