"""The card of the served model: that of the store, or the facts of a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_models.bundles.names import bundle_of, is_bundle, is_onnx_file
from fer_models.errors import FerError
from fer_models.inference.open_model import stored_model
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.bundles.facts import BundleFacts, EnsembleFacts, MeasuredAccuracy
    from fer_models.onnx_files.facts import AccuracyFacts
    from fer_models.reporting.model_card.card import Block, CardSection

    Accuracy = Mapping[str, MeasuredAccuracy] | Mapping[str, AccuracyFacts]

CardSections = Sequence[dict[str, Any]]
"""Each with a `title` and `blocks` of `heading`, and `text`, `items`, or `head` and `rows`."""


def card_sections(name: str, store: ArtifactStore | None) -> CardSections:
    """The sections of a model's card.

    Raises:
        FerError: the model is missing or damaged.
    """
    if is_onnx_file(name):
        sections = _onnx_card(name)
    else:
        sections = _bundle_card(name) if is_bundle(name) else _stored_card(name, store)
    return [asdict(section) for section in sections]


def _stored_card(name: str, store: ArtifactStore | None) -> Sequence["CardSection"]:
    from fer_models.evaluation.config import EvaluationConfig
    from fer_models.history.stored import card_config_of_model
    from fer_models.reporting.model_card.card import CardSection, Paragraph, model_card
    from fer_models.reporting.model_card.facts import card_facts

    assert store is not None
    try:
        model = stored_model(store, name)
        facts = card_facts(store, model, EvaluationConfig())
        texts = card_config_of_model(store, model.id)
    except FerError as error:
        return [CardSection("Model Details", (Paragraph(name), Paragraph(error.message)))]
    return model_card(facts, texts).sections


def _bundle_card(name: str) -> Sequence["CardSection"]:
    from fer_models.bundles.bundle import load_any_bundle

    facts = load_any_bundle(bundle_of(name)[1]).facts
    return _file_card(_details(facts), facts.accuracy, facts.final_fit_of)


def _onnx_card(name: str) -> Sequence["CardSection"]:
    from fer_models.onnx_files.session import open_onnx

    facts = open_onnx(Path(name)).facts
    details = (
        f"Model: {facts.model}, as an ONNX file ({facts.precision})",
        f"Networks: {', '.join(network.name for network in facts.networks)}",
        f"Classes: {', '.join(facts.classes)}",
        f"Views of each face: {facts.views}",
        f"Made with: ferflow {facts.ferflow}",
    )
    return _file_card(details, facts.accuracy, facts.final_fit_of)


def _file_card(
    details: tuple[str, ...], accuracy: "Accuracy", final_fit_of: str
) -> Sequence["CardSection"]:
    from fer_models.reporting.model_card import texts
    from fer_models.reporting.model_card.card import Bullets, CardSection, Paragraph

    if final_fit_of:
        details = (*details, texts.FINAL_FIT.format(model=final_fit_of))
    return (
        CardSection("Model Details", (Bullets(details),)),
        CardSection(
            "Intended Use",
            (
                Paragraph(texts.INTENDED_USE, "Primary intended uses"),
                Bullets(texts.OUT_OF_SCOPE, "Out-of-scope uses"),
            ),
        ),
        CardSection("Metrics", (_accuracy(accuracy, final_fit_of),)),
        CardSection("Ethical Considerations", (Bullets(texts.ETHICS),)),
        CardSection("Caveats and Recommendations", (Bullets(texts.CAVEATS),)),
    )


def _details(facts: "BundleFacts | EnsembleFacts") -> tuple[str, ...]:
    members = getattr(facts, "members", None) or [facts]
    networks = ", ".join(one.member.network.name for one in members)
    lines = [
        f"Model: {facts.name}, a bundle of {facts.date}",
        f"Networks: {networks}",
        f"Classes: {', '.join(facts.classes)}",
        f"Training: seed {facts.seed}, {facts.train_seconds:,.0f} s on {facts.machine}",
        f"Command: {facts.command}" if facts.command else "",
        f"Dataset: snapshot {facts.snapshot_id[:12]}",
        f"Made with: ferflow {facts.ferflow}",
    ]
    return tuple(line for line in lines if line)


def _accuracy(accuracy: "Accuracy", final_fit_of: str) -> "Block":
    from fer_models.reporting.model_card.card import Paragraph, Table

    if not accuracy:
        return Paragraph("The accuracy was not measured.")
    rows = tuple(
        (_images_text(name, final_fit_of), f"{100 * one.accuracy:.1f} %", f"{one.n:,}")
        for name, one in accuracy.items()
    )
    return Table(("Images", "Accuracy", "n"), rows, "Accuracy")


def _images_text(name: str, final_fit_of: str) -> str:
    whose = f" ({final_fit_of})" if final_fit_of and name.startswith("validation") else ""
    return name.replace("_", " ") + whose
