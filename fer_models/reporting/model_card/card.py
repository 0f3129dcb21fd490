"""The content of a model card: sections of Mitchell et al. 2019 (https://arxiv.org/abs/1810.03993).

The same content is written as Markdown (`markdown`) and shown in the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_models.evaluation.results import (
    TEST,
    TEST_WITHOUT_NEAR_COPIES,
    VALIDATION,
    VALIDATION_WITHOUT_NEAR_COPIES,
    ModelMetrics,
    SplitMetrics,
)
from fer_models.reporting.model_card import texts
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.reporting.model_card.facts import CardFacts

SECTIONS = (
    "Model Details",
    "Intended Use",
    "Factors",
    "Metrics",
    "Evaluation Data",
    "Training Data",
    "Quantitative Analyses",
    "Ethical Considerations",
    "Caveats and Recommendations",
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, after a heading if there is one."""

    text: str
    heading: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list, after a heading if there is one."""

    items: tuple[str, ...]
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """A table; all but the first column are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heading: str = ""


Block = Paragraph | Bullets | Table


@dataclass(frozen=True)
class CardSection:
    """A section of the card under one of the titles in `SECTIONS`."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ModelCard:
    """A model card; `facts` are those that it was made from."""

    facts: CardFacts
    config: ModelCardConfig
    sections: tuple[CardSection, ...]


def model_card(facts: CardFacts, config: ModelCardConfig) -> ModelCard:
    """The card of a stored model.

    Example:
        card = model_card(card_facts(store, model), ModelCardConfig())
        Path("MODEL_CARD.md").write_text(markdown(card))
    """
    blocks: tuple[Sequence[Block], ...] = (
        _details(facts, config),
        _intended_use(config),
        _factors(facts),
        _metrics(facts),
        _evaluation_data(facts),
        _training_data(facts, config),
        _analyses(facts.metrics),
        (Bullets(texts.ETHICS),),
        (Bullets(texts.CAVEATS),),
    )
    sections = tuple(
        CardSection(title, tuple(parts)) for title, parts in zip(SECTIONS, blocks, strict=True)
    )
    return ModelCard(facts, config, sections)


def _details(facts: CardFacts, config: ModelCardConfig) -> Sequence[Block]:
    kind = f"ensemble of {', '.join(facts.networks)}" if facts.is_ensemble else facts.networks[0]
    size = f"{facts.image_size_px} x {facts.image_size_px} px"
    lines = [
        f"Model: {facts.name} ({facts.model_id})",
        f"Architecture: {kind}; {facts.parameters:,} parameters",
        (
            f"Input: a cropped face, resized to {size}, "
            f"{'grey' if facts.in_channels == 1 else 'three channels'}"
        ),
        (f"Output: the probabilities of {len(facts.classes)} classes ({', '.join(facts.classes)})"),
        f"Made with: ferflow {facts.ferflow or 'of unknown version'}"
        + (f", git revision {facts.revision}" if facts.revision else ""),
        f"Training: seed {facts.seed}"
        + (f", {facts.train_seconds:,.0f} s" if facts.train_seconds is not None else "")
        + (f" on {facts.machine}" if facts.machine else ""),
        f"License: {config.license or 'none granted (model_card.license is not set)'}",
        f"Contact: {config.contact}" if config.contact else "",
    ]
    return [Bullets(tuple(line for line in lines if line))]


def _intended_use(config: ModelCardConfig) -> Sequence[Block]:
    return [
        Paragraph(config.intended_use or texts.INTENDED_USE, "Primary intended uses"),
        Bullets(texts.OUT_OF_SCOPE, "Out-of-scope uses"),
    ]


def _factors(facts: CardFacts) -> Sequence[Block]:
    return [
        Paragraph(texts.RELEVANT_FACTORS, "Relevant factors"),
        Paragraph(
            "Measured: " + ", ".join(("expression", *facts.slice_names)) + ". " + texts.UNMEASURED,
            "Evaluation factors",
        ),
    ]


def _metrics(facts: CardFacts) -> Sequence[Block]:
    return [Bullets((*texts.METRICS, f"Intervals: {facts.confidence_text} %."))]


def _evaluation_data(facts: CardFacts) -> Sequence[Block]:
    counts = facts.split_counts
    if facts.final_fit_of and not counts.get("test"):
        return [Paragraph(texts.FINAL_FIT_WITHOUT_TEST.format(model=facts.final_fit_of))]
    splits = ("test",) if facts.final_fit_of else ("validation", "test")
    held_out = ", ".join(f"{counts[name]:,} {name}" for name in splits if counts.get(name))
    if facts.imported:
        text = f"Images of the snapshot {facts.snapshot_id} by split: {held_out or 'none'}."
        return [Paragraph(f"{text} {texts.IMPORTED}")]
    lines = [f"Images of the same dataset (see Training Data) by split: {held_out or 'none'}."]
    if counts.get("test"):
        lines.append("Everything was chosen on validation; test images were used for figures only.")
    else:
        lines.append(texts.NO_TEST)
    return [Paragraph(" ".join(lines))]


def _training_data(facts: CardFacts, config: ModelCardConfig) -> Sequence[Block]:
    described = _trained_elsewhere(facts.imported) if facts.imported else _trained_here(facts)
    sources = () if facts.imported else facts.sources
    terms = config.data_terms or texts.data_terms(sources)
    return [Bullets(tuple(filter(None, described))), Paragraph(terms, "Terms of use")]


def _trained_elsewhere(bundle: Mapping[str, Any]) -> Sequence[str]:
    return (
        f"Imported from the bundle {bundle['name']} of {bundle['date']}",
        f"Dataset snapshot: {bundle['snapshot_id']}, not the one of the figures",
    )


def _trained_here(facts: CardFacts) -> Sequence[str]:
    counts = facts.split_counts
    num_trained = counts.get("train", 0) + (
        counts.get("validation", 0) if facts.final_fit_of else 0
    )
    return (
        texts.FINAL_FIT.format(model=facts.final_fit_of) if facts.final_fit_of else "",
        f"The mean of the weights of {', '.join(facts.averaged)}" if facts.averaged else "",
        f"Dataset snapshot: {facts.snapshot_id}",
        f"Sources: {', '.join(facts.sources)}" if facts.sources else "",
        f"Training images: {num_trained:,}" if counts else "",
        "Images of the snapshot by class: "
        + ", ".join(f"{name} {count:,}" for name, count in facts.class_counts.items())
        if facts.class_counts
        else "",
        f"Left out by cleaning: {facts.quarantined:,} of {facts.num_images:,} images"
        if facts.num_images
        else "",
    )


def _analyses(metrics: ModelMetrics | None) -> Sequence[Block]:
    if metrics is None:
        return [Paragraph("The dataset is not in the store any more: no figures.")]
    overall = Table(
        (
            "Images",
            "n",
            "Accuracy",
            "Interval",
            "Balanced accuracy",
            "Macro F1",
            "Calibration error",
        ),
        tuple(_overall_row(name, scores) for name, scores in metrics.splits.items()),
        "Unitary results",
    )
    name, scores = _most_honest(metrics)
    by_class = Table(
        ("Expression", "n", "Recall", "Precision", "F1"),
        tuple(
            (label, f"{one.n:,}", f"{one.recall:.3f}", f"{one.precision:.3f}", f"{one.f1:.3f}")
            for label, one in scores.per_class.items()
        ),
        f"By expression ({name.replace('_', ' ')})",
    )
    return [overall, by_class, *_by_factor(metrics)]


def _by_factor(metrics: ModelMetrics) -> Sequence[Block]:
    rows = tuple(
        (
            f"{column.column.replace('_', ' ')}: {one.name}",
            f"{one.n:,}",
            f"{one.accuracy:.3f}",
            f"{one.low:.3f} to {one.high:.3f}",
        )
        for column in metrics.slices
        if column.column != "class"
        for one in column.slices
    )
    head = ("Images", "n", "Accuracy", "Interval")
    return [Table(head, rows, f"By factor ({metrics.sliced_split})")] if rows else []


def _overall_row(name: str, scores: SplitMetrics) -> tuple[str, ...]:
    return (
        name.replace("_", " "),
        f"{scores.n:,}",
        f"{scores.accuracy:.3f}",
        f"{scores.accuracy_low:.3f} to {scores.accuracy_high:.3f}",
        f"{scores.balanced_accuracy:.3f}",
        f"{scores.macro_f1:.3f}",
        f"{scores.calibration_error:.3f}",
    )


def _most_honest(metrics: ModelMetrics) -> tuple[str, SplitMetrics]:
    """The images that say most about new ones: of test, without copies of training images."""
    order = (TEST_WITHOUT_NEAR_COPIES, TEST, VALIDATION_WITHOUT_NEAR_COPIES, VALIDATION)
    name = next(name for name in order if name in metrics.splits)
    return name, metrics.splits[name]
