"""`ferflow task STEP`: one step alone, the very function that the flow's task runs, no server."""

import click

from deployments.cli.task import data as task_data
from deployments.cli.task import explore as task_explore
from deployments.cli.task import lr_find as task_find_rate
from deployments.cli.task import models as task_models


@click.group(name="task")
def command() -> None:
    """Run one step alone, in this process: no server, a debugger stops in it.

    \b
    The chain (each step takes what the step before it made last in the same store):
      ingest -> validate -> score -> clean -> split -> explore
             -> tune -> train -> evaluate -> ensemble -> promote -> report
    ingest     sources                -> raw snapshot
    validate   raw snapshot           -> pass or fail (exit 3)
    score      raw snapshot           -> quality of every label (clean does it, too)
    clean      raw snapshot           -> snapshot with a quarantine
    split      cleaned snapshot       -> snapshot with train, validation, test
    explore    split snapshot         -> plots and faces on one HTML page
    lr-find  split snapshot         -> plot of the loss over the learning rate
    tune       split snapshot         -> best setting of one member
    train      split snapshot         -> one model a member
    evaluate   models                 -> metrics
    ensemble   models                 -> ensembles, and the candidate
    promote    candidate              -> champion or not (exit 3)
    report     all of it              -> one HTML page

    \b
    ferflow task ingest --data fer2013.csv && ferflow task validate && ferflow task clean
    """  # noqa: D301 - \b is click's mark for text that keeps its lines


for _step in (
    task_data.ingest,
    task_data.validate,
    task_data.score,
    task_data.clean,
    task_data.split,
    task_explore.explore,
    task_find_rate.lr_find,
    task_models.tune,
    task_models.train,
    task_models.evaluate,
    task_models.ensemble,
    task_models.promote,
    task_models.report,
):
    command.add_command(_step)
