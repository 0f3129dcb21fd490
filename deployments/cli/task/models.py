"""`ferflow task tune|ensemble|promote|report`."""

from typing import Any

import click

from deployments.cli.latest import local_report
from deployments.cli.options import config_options, weights_option
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.outputs import run_option
from deployments.cli.task.final_fit import final_of_passing
from deployments.cli.task.step import Step, model_option, short, snapshot_option
from fer_models.errors import ConfigError
from fer_models.history.outputs import tuning_behind
from fer_models.inference.open_model import find_model
from fer_models.storage.latest import remember
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    PromotionRef,
    TuningRef,
    ValidationRef,
)
from fer_models.tracking.mode import check_tracking


@click.command()
@config_options
@weights_option
@snapshot_option
@run_option
@reporting
def tune(snapshot_id: str | None, **options: Any) -> Produced:
    """Tune the hyper-parameters of `tuning.member` with Ray Tune."""
    step = Step(options)
    from tasks.artifacts.tables import trial_rows
    from tasks.tune import tune as stage

    config = step.config
    snapshot = step.snapshot(snapshot_id, "split")
    member = next((m for m in config.members if m.name == config.tuning.member), None)
    if member is None:
        raise ConfigError(
            f"tuning.member {config.tuning.member!r}: unknown member; "
            f"expected one of {', '.join(m.name for m in config.members)}"
        )
    with progress_display():
        tuning = stage.fn(snapshot, member, config.tuning, config.seed, config.store)
    remember(step.store, "tune", tuning)
    rows = trial_rows(step.store, tuning)
    print_table("Trials", list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    facts = {"tuning": tuning.id, "member": member.name, "url": tuning.url, "trials": rows}
    facts["best"] = step.store.read_json(tuning, "best.json")
    facts["plots"] = [f"{tuning.url}/{file}" for file in step.store.info(tuning)["plots"]]
    print_facts(short(facts, "trials"))
    return facts


@click.command()
@config_options
@snapshot_option
@run_option
@model_option
@reporting
def ensemble(snapshot_id: str | None, model_ids: tuple[str, ...], **options: Any) -> Produced:
    """Build ensembles and select the candidate, by cross-validation on the validation split."""
    step = Step(options)
    from tasks.artifacts.tables import ensemble_rows
    from tasks.ensemble import ensemble as stage

    snapshot = step.snapshot(snapshot_id, "split")
    models = step.models(model_ids)
    with progress_display():
        built = stage.fn(snapshot, models, step.config.ensemble, step.config.store)
    remember(step.store, "ensemble", built)
    rows = ensemble_rows(step.store, built)
    _print_scores(rows, step.config.ensemble.choose_by)
    facts = {
        "ensemble": built.id,
        "candidate": built.candidate.id,
        "ensembles": [model.id for model in built.ensembles],
        "scores": rows,
        "url": built.url,
    }
    ids = [model.id for model in built.ensembles]
    print_facts(short({**facts, "ensembles": ", ".join(ids)}, "scores"))
    return facts


def _print_scores(rows: list[dict[str, Any]], metric: str) -> None:
    from tasks.artifacts.tables import second_score

    second = second_score(metric)
    keys = (f"cross_validated_{metric}", f"{metric}_low", f"{metric}_high")
    cells = []
    for row in rows:
        score, low, high = (row[key] for key in keys)
        adds = row["multiply_adds"]
        cells.append(
            [
                f"{row['model']} ★" if row["role"] == "candidate" else row["model"],
                f"{score:.3f} [{low:.3f}, {high:.3f}]",
                f"{row[f'cross_validated_{second}']:.3f}",
                "" if adds is None else f"{adds / 1e6:,.0f}",
            ]
        )
    columns = [metric, second, "M multiply-adds"]
    title = "Cross-validated, with 95 % interval (★ candidate)"
    print_table(title, ["model", *(name.replace("_", " ") for name in columns)], cells)


@click.command()
@config_options
@snapshot_option
@run_option
@click.option(
    "--model", "model_id", metavar="ID", help="Promote this model instead of the candidate."
)
@reporting
def promote(snapshot_id: str | None, model_id: str | None, **options: Any) -> Produced:
    """Compare the candidate with the champion. Exit code 3 if it is not promoted.

    With `final_fit.enabled`, a candidate that passes is first trained once more on training and
    validation images.
    """
    step = Step(options)
    check_tracking(step.config.tracking)
    from tasks.promote import promote as stage

    snapshot = step.snapshot(snapshot_id, "split")
    if model_id:
        candidate = find_model(step.store, model_id)
    else:
        candidate = step.recall("ensemble", EnsembleRef).candidate
    config = step.config
    validation = step.recall_if_any("validate", ValidationRef)
    final = final_of_passing(step, snapshot, candidate, validation)
    with progress_display():
        promotion = stage.fn(
            snapshot,
            candidate,
            config.promotion,
            config.store,
            config.tracking,
            final,
            validation,
        )
    remember(step.store, "promote", promotion)
    criteria = _show_criteria(step, promotion)
    facts = {
        "promotion": promotion.id,
        "candidate": promotion.candidate_id,
        "champion": promotion.champion_now,
        "final_fit": promotion.final_fit_id,
        "promoted": promotion.promoted,
        "verdict": promotion.verdict,
        "reason": promotion.reason,
        "url": promotion.url,
    }
    print_facts(short(facts, *([] if promotion.final_fit_id else ["final_fit"])))
    return facts | {"criteria": criteria, "exit_code": 0 if promotion.promoted else 3}


@click.command()
@config_options
@snapshot_option
@run_option
@reporting
def report(snapshot_id: str | None, **options: Any) -> Produced:
    """Write the HTML report of the latest steps. Evaluates the models if necessary."""
    step = Step(options, takes_data=True)
    check_tracking(step.config.tracking)
    from tasks.evaluate import evaluate as evaluate_stage
    from tasks.report import report as stage

    config = step.config
    snapshot = step.snapshot(snapshot_id, "split")
    built = step.recall("ensemble", EnsembleRef)
    members = step.models(())
    models = (*members, *built.ensembles)
    if step.run is None:
        tuning = tuning_behind(step.store, members, built)
    else:
        tuning = step.recall_if_any("tune", TuningRef)
    with progress_display():
        evaluations: list[EvaluationRef] = [
            evaluate_stage.fn(snapshot, model, config.evaluation, config.store) for model in models
        ]
        run = stage.fn(
            config,
            snapshot,
            step.recall("validate", ValidationRef),
            tuning,
            evaluations,
            built,
            step.recall("promote", PromotionRef),
            config.store,
            config.tracking,
            models,
        )
    facts = {"run": run.id, "report": run.report_url, "url": run.url}
    facts["report_file"] = str(local_report(step.store, run))
    print_facts(short(facts))
    return facts


def _show_criteria(step: Step, promotion: PromotionRef) -> list[dict[str, Any]]:
    """Print the criteria of the gate, and return them for `--json`."""
    from fer_models.promotion.promote import gate_criteria

    criteria = gate_criteria(step.store, promotion)
    rows = [[one.name, one.figure, one.limit, one.outcome] for one in criteria]
    if rows:
        print_table("Criteria", ["criterion", "figure", "limit", "outcome"], rows)
    return [{**one.model_dump(mode="json"), "outcome": one.outcome} for one in criteria]
