"""Ensembles of trained models, and selection of the promotion candidate."""

import hashlib
from collections.abc import Sequence

from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.artifact import LINEAGE_FILE, write_ensemble
from fer_models.ensembling.config import UNFITTED_METHODS, EnsembleConfig
from fer_models.ensembling.crossfit import Fitting, cross_fit_member, cross_fit_method
from fer_models.ensembling.images import folded_images
from fer_models.ensembling.members import Member, read_members
from fer_models.ensembling.outcome import Outcome, outcome_content
from fer_models.ensembling.scores import Floats, score
from fer_models.ensembling.selection import Contender, Selection
from fer_models.evaluation.predictions import read_out_of_fold
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import EnsembleRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

ENSEMBLE_FILE = "ensemble.json"
__all__ = ["ENSEMBLE_FILE", "LINEAGE_FILE", "ensemble_models"]


def ensemble_models(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    models: Sequence[ModelRef],
    config: EnsembleConfig,
) -> EnsembleRef:
    """Build the ensembles and select the candidate among them and their members.

    A single model is the candidate, and no ensemble is built.

    Only held-out images of the training and validation splits are used. Candidates are compared by
    cross-validated scores, and an ensemble becomes the candidate only if it beats the best member
    by more than noise; see `Selection`.

    Raises:
        DataError: no models, duplicate models, ensembles, models of another snapshot, or too few
            validation images; lists all problems.
        StoreError: an artifact is missing or damaged.
        ConfigError: a method needs a package that is not installed.

    Example:
        ensemble = ensemble_models(store, snapshot, [first, second], EnsembleConfig())
        ensemble.candidate.id  # the best of both models and their ensembles
    """
    opened = open_snapshot(store, snapshot)
    members = read_members(store, opened, models)
    fitting = _fitting(store, opened, members, config)
    selection = Selection(_contenders(fitting, members, config), fitting.chosen_on, config)
    chosen = selection.choose(selection.eligible)
    ensembles = [
        write_ensemble(
            store,
            opened,
            members,
            contender.fitted.final(),
            _cross_validated(contender, fitting),
            _cross_fitted(contender, fitting),
        )
        for contender in selection.contenders
        if not contender.is_single
    ]
    refs = [member.model for member in members] + [written.model for written in ensembles]
    outcome = Outcome(members, ensembles, fitting, selection, chosen, config)
    data = json_bytes(outcome_content(store, snapshot, outcome), sort_keys=False)
    return store.put(
        EnsembleRef,
        hashlib.sha256(data).hexdigest()[:24],
        {ENSEMBLE_FILE: data},
        {
            "snapshot_id": snapshot.id,
            "candidate_id": refs[chosen].id,
            "metric": config.choose_by,
        },
        candidate=refs[chosen],
        ensembles=tuple(written.model for written in ensembles),
    )


def _fitting(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    members: Sequence[Member],
    config: EnsembleConfig,
) -> Fitting:
    """The images to fit on and to choose on.

    Rules are fitted to out-of-fold predictions of the training images if every member has them:
    the validation images then serve for the choice alone. Otherwise they serve for both.
    """
    copies = find_copies(store, snapshot)
    predictions = [member.predictions["validation"] for member in members]
    validation = folded_images(snapshot, copies, predictions, config.folds)
    found = [read_out_of_fold(store, snapshot, member.model) for member in members]
    out_of_fold = [one for one in found if one is not None]
    if len(out_of_fold) < len(members):
        return Fitting(validation)
    training = folded_images(snapshot, copies, out_of_fold, config.folds)
    return Fitting(training.without_groups(validation.groups_N), validation)


def _contenders(
    fitting: Fitting, members: Sequence[Member], config: EnsembleConfig
) -> list[Contender]:
    singles = [
        Contender(cross_fit_member(fitting, number), member.parameters, member.model.id)
        for number, member in enumerate(members)
    ]
    if len(members) == 1:
        return singles  # there is nothing to combine
    parameters = sum(member.parameters for member in members)
    return singles + [
        Contender(cross_fit_method(fitting, method, config.choose_by), parameters, method)
        for method in config.methods
    ]


def _cross_validated(contender: Contender, fitting: Fitting) -> float:
    labels_N = fitting.chosen_on.labels_N
    return round(score("accuracy", contender.fitted.held_out(), labels_N), 6)


def _cross_fitted(contender: Contender, fitting: Fitting) -> Floats | None:
    """The held-out probabilities of a rule whose answers were fitted to the validation images."""
    if fitting.choose_on is not None or contender.fitted.method in UNFITTED_METHODS:
        return None
    return contender.fitted.held_out()
