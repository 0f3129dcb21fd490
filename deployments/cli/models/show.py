"""`ferflow models show`: everything about one stored model."""

from typing import TYPE_CHECKING, Any

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, print_table
from deployments.cli.output import reporting_command as reporting
from deployments.cli.runs.texts import NOTHING, accuracy_text, moment, size_text
from fer_models.inference.open_model import stored_model

if TYPE_CHECKING:
    from fer_models.history.model_facts import ModelFacts

_PACKAGES = ("torch", "timm", "numpy")


@click.command()
@click.argument("model_id")
@store_option
@reporting
def show(model_id: str, store_url: str | None) -> Produced:
    """Show model MODEL_ID (or `champion`): classes, accuracies, lineage, where it is champion."""
    from fer_models.history.model_facts import model_facts

    store = open_store(store_url)
    facts = model_facts(store, stored_model(store, model_id))
    _show_accuracies(facts)
    print_facts(_texts(facts))
    return facts.model_dump(mode="json")


def _show_accuracies(facts: "ModelFacts") -> None:
    splits = [[split, accuracy_text(found)] for split, found in facts.splits.items()]
    if splits:
        print_table("Accuracy in percent", ["images", "accuracy, interval"], splits)
    names = list(facts.recalls)
    rows = [
        [name, *(accuracy_text(facts.recalls[split].get(name)) for split in names)]
        for name in facts.classes
    ]
    if names:
        print_table("Recognised images of each class in percent", ["class", *names], rows)


def _texts(facts: "ModelFacts") -> dict[str, str]:
    model, bundle = facts.model, facts.bundle
    packages: dict[str, Any] = facts.lineage.get("packages", {})
    versions = [f"{name} {packages[name]}" for name in _PACKAGES if packages.get(name)]
    members = [f"{one['name']} ({one['model_id']})" for one in facts.members]
    return {
        "model": model.id,
        "kind": f"{model.kind} of {len(members)}" if members else model.kind,
        "network": model.network or NOTHING,
        **({"members": ", ".join(members)} if members else {}),
        "parameters": size_text(model.parameters),
        "classes": ", ".join(facts.classes),
        "champion": "; ".join(_reigns(facts)) or "never",
        "trained on": bundle.get("snapshot_id") or model.snapshot or NOTHING,
        "seed": NOTHING if model.seed is None else str(model.seed),
        "since (UTC)": moment(model.made_s),
        "code": facts.code or NOTHING,
        "packages": ", ".join(versions) or NOTHING,
        "started from": facts.started_from or NOTHING,
        **({"average of": ", ".join(facts.averaged)} if facts.averaged else {}),
        **({"imported from": f"bundle {bundle['name']} of {bundle['date']}"} if bundle else {}),
        "teachers": ", ".join((*facts.teachers, *facts.shipped_teachers)) or NOTHING,
        "runs": ", ".join(model.runs) or NOTHING,
    }


def _reigns(facts: "ModelFacts") -> list[str]:
    return [
        f"{reign.alias} since {moment(reign.since_s)}"
        if reign.until_s is None
        else f"{reign.alias} from {moment(reign.since_s)} to {moment(reign.until_s)}"
        for reign in facts.reigns
    ]
