"""`ferflow task STEP`: run the function of a single task, without a server."""

import click

from deployments.cli.task import data as task_data
from deployments.cli.task import evaluate as task_evaluate
from deployments.cli.task import explore as task_explore
from deployments.cli.task import final_fit as task_final_fit
from deployments.cli.task import lr_find as task_lr_find
from deployments.cli.task import models as task_models
from deployments.cli.task import train as task_train


@click.group(name="task")
def command() -> None:
    """Run a single step in this process, without a server. A debugger can stop in it.

    \b
    The steps in order (each uses the latest result of earlier steps in the store):
      ingest -> validate -> score -> clean -> split -> explore
             -> tune -> train -> ensemble -> evaluate -> promote -> report
    ingest     sources                -> raw snapshot
    validate   raw snapshot           -> passed or failed (exit 3)
    score      raw snapshot           -> quality of every label (also done by clean)
    clean      raw snapshot           -> snapshot with quarantined images
    split      cleaned snapshot       -> snapshot with train, validation, test
    explore    split snapshot         -> HTML page with plots and faces
    lr-find    split snapshot         -> plot of the loss over the learning rate
    tune       split snapshot         -> best settings of one member
    train      split snapshot         -> one model per member
    ensemble   models                 -> ensembles and the candidate
    evaluate   models and ensembles   -> metrics
    final-fit  model                  -> the same, also trained on validation images
    promote    candidate              -> new champion or not (exit 3)
    report     all results            -> HTML page

    \b
    ferflow task ingest --data fer2013.csv && ferflow task validate && ferflow task clean
    """  # noqa: D301 - click keeps the lines of a paragraph that starts with \b


for _step in (
    task_data.ingest,
    task_data.validate,
    task_data.score,
    task_data.clean,
    task_data.split,
    task_explore.explore,
    task_lr_find.lr_find,
    task_models.tune,
    task_train.train,
    task_models.ensemble,
    task_evaluate.evaluate,
    task_final_fit.final_fit,
    task_models.promote,
    task_models.report,
):
    command.add_command(_step)
