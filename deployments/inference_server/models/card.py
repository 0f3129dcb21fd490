"""The card of the served model: that of the store, or the facts of a bundle."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fer_models.errors import FerError
from fer_models.inference.open_model import is_bundle, is_bundle_file, stored_model
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.inference.facts import BundleFacts, EnsembleFacts
    from fer_models.reporting.model_card.card import CardSection

CardSections = Sequence[dict[str, Any]]
"""Each with a `title` and `blocks` of `heading`, and `text`, `items`, or `head` and `rows`."""


def card_sections(name: str, store: ArtifactStore | None) -> CardSections:
    """The sections of a model's card.

    Raises:
        FerError: the model is missing or damaged.
    """
    sections = _bundle_card(name) if is_bundle(name) else _stored_card(name, store)
    return [asdict(section) for section in sections]


def _stored_card(name: str, store: ArtifactStore | None) -> Sequence["CardSection"]:
    from fer_models.evaluation.config import EvaluationConfig
    from fer_models.reporting.model_card.card import CardSection, Paragraph, model_card
    from fer_models.reporting.model_card.config import ModelCardConfig
    from fer_models.reporting.model_card.facts import card_facts

    assert store is not None
    try:
        facts = card_facts(store, stored_model(store, name), EvaluationConfig())
    except FerError as error:
        return [CardSection("Model Details", (Paragraph(name), Paragraph(error.message)))]
    return model_card(facts, ModelCardConfig()).sections


def _bundle_card(name: str) -> Sequence["CardSection"]:
    from fer_models.inference.bundle import load_any_bundle
    from fer_models.reporting.model_card import texts
    from fer_models.reporting.model_card.card import Bullets, CardSection, Paragraph

    facts = load_any_bundle(name if is_bundle_file(name) else name.partition(":")[2]).facts
    return (
        CardSection("Model Details", (Bullets(_details(facts)),)),
        CardSection(
            "Intended Use",
            (
                Paragraph(texts.INTENDED_USE, "Primary intended uses"),
                Bullets(texts.OUT_OF_SCOPE, "Out-of-scope uses"),
            ),
        ),
        CardSection("Metrics", (_accuracy(facts),)),
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


def _accuracy(facts: "BundleFacts | EnsembleFacts") -> Any:
    from fer_models.reporting.model_card.card import Paragraph, Table

    if not facts.accuracy:
        return Paragraph("The accuracy was not measured.")
    rows = tuple(
        (name.replace("_", " "), f"{100 * one.accuracy:.1f} %", f"{one.n:,}")
        for name, one in facts.accuracy.items()
    )
    return Table(("Images", "Accuracy", "n"), rows, "Accuracy")
