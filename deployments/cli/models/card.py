"""`ferflow models card`: the model card of a stored model."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced
from deployments.cli.output import reporting_command as reporting
from fer_models.inference.open_model import stored_model
from fer_models.output_file import check_output, write_output

if TYPE_CHECKING:
    from fer_models.storage.refs import ModelRef
    from fer_models.storage.store import ArtifactStore

_ANY = "champion"


@click.command()
@click.argument("model_id", default=_ANY)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the card to this file.  [default: print it]",
)
@store_option
@reporting
def card(model_id: str, out: Path | None, store_url: str | None) -> Produced:
    """Print the card of MODEL_ID, by default of the champion, as Markdown.

    Its texts about use, licence and terms of the data are those of the last run that has the model
    (`ferflow run --set model_card.license=...`, see docs/report.md).
    """
    target = None if out is None else check_output(out)
    store = open_store(store_url)
    model = stored_model(store, model_id)
    text = card_text(store, model)
    if target is None:
        click.echo(text, nl=False)
    else:
        write_output(target, text)
        click.echo(str(out))
    return {"model": model.id, "file": str(out) if out else None, "card": text}


def card_text(store: "ArtifactStore", model: "ModelRef") -> str:
    """The card of a stored model as Markdown.

    Raises:
        StoreError: the model is missing or damaged.
    """
    from fer_models.evaluation.config import EvaluationConfig
    from fer_models.history.stored import card_config_of_model
    from fer_models.reporting.model_card.card import model_card
    from fer_models.reporting.model_card.facts import card_facts
    from fer_models.reporting.model_card.markdown import markdown

    facts = card_facts(store, model, EvaluationConfig())
    return markdown(model_card(facts, card_config_of_model(store, model.id)))
