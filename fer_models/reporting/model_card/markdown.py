"""A model card as Markdown with the front matter of Hugging Face's model cards."""

import re
from typing import Any

from fer_models.evaluation.results import SplitMetrics
from fer_models.reporting.model_card.card import Block, Bullets, ModelCard, Paragraph, Table

MODEL_CARD_FILE = "MODEL_CARD.md"
_TASK = "image-classification"
_METRICS = {"accuracy": "accuracy", "f1": "macro_f1"}


def markdown(card: ModelCard) -> str:
    """The card as Markdown; the front matter is YAML between lines of three dashes.

    Example:
        Path("README.md").write_text(markdown(card))  # in a repository on the Hugging Face hub
    """
    import yaml

    front = yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=True)
    parts = [f"---\n{front}---", f"# Model card: {_plain(card.facts.name)}"]
    for section in card.sections:
        parts.append(f"## {section.title}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def front_matter(card: ModelCard) -> dict[str, Any]:
    """The metadata of Hugging Face's model cards, with the results as a model index."""
    facts, metrics = card.facts, card.facts.metrics
    front: dict[str, Any] = {
        "license": card.config.license or "other",
        "library_name": "ferflow",
        "pipeline_tag": _TASK,
        "tags": ["facial-expression-recognition", *sorted(set(facts.networks))],
        "metrics": list(_METRICS),
    }
    if metrics is not None and metrics.model_id == facts.model_id:
        results = [_result(card, name, scores) for name, scores in metrics.splits.items()]
        front["model-index"] = [{"name": facts.name, "results": results}]
    return front


def _result(card: ModelCard, split: str, scores: SplitMetrics) -> dict[str, Any]:
    snapshot = card.facts.snapshot_id
    return {
        "task": {"type": _TASK, "name": "Facial expression recognition"},
        "dataset": {
            "type": f"ferflow-{snapshot[:12]}",
            "name": f"{', '.join(card.facts.sources) or snapshot}: {split.replace('_', ' ')}",
            "split": split,
        },
        "metrics": [
            {"type": kind, "value": round(float(getattr(scores, field)), 4), "name": field}
            for kind, field in _METRICS.items()
        ],
    }


def _block(block: Block) -> str:
    heading = f"### {_plain(block.heading)}\n\n" if block.heading else ""
    if isinstance(block, Paragraph):
        return heading + _plain(block.text)
    if isinstance(block, Bullets):
        return heading + "\n".join(f"- {_plain(item)}" for item in block.items)
    return heading + _table(block)


def _table(table: Table) -> str:
    rule = ("---", *("---:" for _ in table.head[1:]))
    rows = [table.head, rule, *table.rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from users."""
    joined = " ".join(text.split())
    marked = re.sub(r"([\\`*\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", joined)
    return marked.replace("&", "&amp;").replace("<", "&lt;")
