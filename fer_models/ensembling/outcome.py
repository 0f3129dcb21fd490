"""The content of `ensemble.json`: all that a person needs to understand, or change, the choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fer_models.combination.rules import MajorityRule, MeanRule
from fer_models.ensembling.artifact import WrittenEnsemble, scores_of
from fer_models.ensembling.config import METRICS, EnsembleConfig, Method, Metric
from fer_models.ensembling.cost import multiply_adds
from fer_models.ensembling.crossfit import Fitting
from fer_models.ensembling.diversity import disagreements, member_gains
from fer_models.ensembling.members import Member
from fer_models.ensembling.scores import Resampled, Score, widened
from fer_models.ensembling.selection import Nested, Selection
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What was fitted and chosen; `chosen` is the number of a contender, members first."""

    members: Sequence[Member]
    ensembles: Sequence[WrittenEnsemble]
    fitting: Fitting
    selection: Selection
    chosen: int
    config: EnsembleConfig

    @property
    def singles(self) -> list[int]:
        """The numbers of the members among the contenders."""
        return list(range(len(self.members)))

    @property
    def combined(self) -> list[int]:
        """The numbers of the ensembles among the contenders, in the order of `ensembles`."""
        return list(range(len(self.members), len(self.members) + len(self.ensembles)))

    @cached_property
    def nested(self) -> Nested:
        """The choice among all contenders, repeated without each fold."""
        return self.selection.nested(self.selection.eligible)

    @cached_property
    def nested_by_method(self) -> list[Nested]:
        """The same for each ensemble, as if it competed with the members alone."""
        eligible = set(self.selection.eligible)
        return [
            self.selection.nested([n for n in (*self.singles, number) if n in eligible])
            for number in self.combined
        ]

    @cached_property
    def resampled(self) -> dict[Metric, Resampled]:
        """By metric: all contenders, then `nested`, then `nested_by_method`."""
        images = self.fitting.chosen_on
        probs_ANK = [c.fitted.held_out() for c in self.selection.contenders]
        probs_ANK += [one.probs_NK for one in (self.nested, *self.nested_by_method)]
        return {m: Resampled(m, probs_ANK, images.labels_N, images.bootstrap) for m in METRICS}

    def scores(self, number: int) -> _Json:
        """Cross-validated scores of a contender with intervals, by metric."""
        return {metric: found.score(number)._asdict() for metric, found in self.resampled.items()}

    def nested_scores(self, position: int) -> _Json:
        """Nested estimates by metric: 0 is that of the choice, then follow the methods.

        Their intervals contain the spread of what was chosen, see `Nested.deviation`.
        """
        nested = (self.nested, *self.nested_by_method)[position]
        num_contenders = len(self.selection.contenders)
        rows: _Json = {}
        for metric, found in self.resampled.items():
            deviation = nested.deviation(found.values_A[:num_contenders])
            plain = found.score(num_contenders + position)
            rows[metric] = widened(metric, plain, deviation)._asdict()
        return rows


def outcome_content(store: ArtifactStore, snapshot: SnapshotRef, outcome: Outcome) -> _Json:
    """The content of `ensemble.json` as JSON values; all numbers are rounded to six decimals."""
    images, config = outcome.fitting.chosen_on, outcome.config
    ids = [member.model.id for member in outcome.members]
    rows = _member_rows(store, outcome)
    candidates = rows + _ensemble_rows(outcome, {row["model_id"]: row for row in rows})
    names = [candidate["name"] for candidate in candidates]
    return {
        "snapshot_id": snapshot.id,
        "metric": config.choose_by,
        "methods": list(config.methods),
        "fitted_on": "validation" if outcome.fitting.choose_on is None else "train_out_of_fold",
        "num_validation_images": len(images),
        "num_groups": len(set(images.groups_N.tolist())),
        "folds": len(images.folds),
        "min_gain_se": config.min_gain_se,
        "weights": _weights(outcome, ids),
        "candidates": candidates,
        "best_member": ids[outcome.selection.best_member()],
        "nested": {
            **outcome.nested_scores(0),
            "chosen": [names[number] for number in outcome.nested.chosen],
        },
        "disagreements": [
            {**row, "members": [ids[number] for number in row["members"]]}
            for row in disagreements(images)
        ],
        "member_gains": _member_gains(outcome, ids),
        "chosen": candidates[outcome.chosen]["model_id"],
    }


def _member_rows(store: ArtifactStore, outcome: Outcome) -> list[_Json]:
    rows = []
    for number, member in enumerate(outcome.members):
        validation = member.predictions["validation"]
        rows.append(
            {
                "model_id": member.model.id,
                "name": member.model.name,
                "kind": member.model.kind,
                "method": None,
                "members": 1,
                "parameters": member.parameters,
                "multiply_adds": multiply_adds(store, member.model),
                "temperature": outcome.selection.contenders[number].fitted.final().temperature,
                "validation": scores_of(validation.probs_NK, validation),
                "cross_validated": outcome.scores(number),
                "gain": _gain(outcome, number),
                "nested": None,
            }
        )
    return rows


def _ensemble_rows(outcome: Outcome, members: dict[str, _Json]) -> list[_Json]:
    rows = []
    pairs = zip(outcome.combined, outcome.ensembles, strict=True)
    for position, (number, written) in enumerate(pairs, start=1):
        costs = [members[member.model.id]["multiply_adds"] for member in written.members]
        rows.append(
            {
                "model_id": written.model.id,
                "name": written.model.name,
                "kind": written.model.kind,
                "method": written.combination.method,
                "members": len(written.members),
                "parameters": sum(member.parameters for member in written.members),
                "multiply_adds": None if None in costs else sum(costs),
                "temperature": written.combination.temperature,
                "validation": written.validation,
                "cross_validated": outcome.scores(number),
                "gain": _gain(outcome, number),
                "nested": outcome.nested_scores(position),
            }
        )
    return rows


def _gain(outcome: Outcome, number: int) -> _Json:
    """The gain over the best member by the metric of the choice."""
    found = outcome.resampled[outcome.config.choose_by]
    value, standard_error = found.gain(number, outcome.selection.best_member())
    return {"value": value, "standard_error": standard_error}


def _weights(outcome: Outcome, ids: Sequence[str]) -> _Json:
    """The weights of every member in the means and the majority vote; stacking has none."""
    weights: _Json = {}
    for number in outcome.combined:
        combination = outcome.selection.contenders[number].fitted.final()
        if isinstance(combination.rule, MeanRule):
            weights[combination.method] = dict(zip(ids, combination.rule.weights, strict=True))
        elif isinstance(combination.rule, MajorityRule):
            weights[combination.method] = dict.fromkeys(ids, 1 / len(ids))
    return weights


def _member_gains(outcome: Outcome, ids: Sequence[str]) -> _Json:
    """Of the chosen ensemble; of the one with the highest gain if a single member was chosen."""
    if not outcome.combined:
        return {"method": None, "metric": outcome.config.choose_by, "by_member": {}}
    number = outcome.chosen
    if number not in outcome.combined:
        number = max(outcome.combined, key=lambda n: _gain(outcome, n)["value"])
    method: Method = outcome.config.methods[number - len(ids)]
    gains: list[Score] = member_gains(outcome.fitting, method, outcome.config.choose_by)
    by_member = {i: one._asdict() for i, one in zip(ids, gains, strict=False)}
    return {"method": method, "metric": outcome.config.choose_by, "by_member": by_member}
