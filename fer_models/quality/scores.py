"""The table of label scores as it lies in the store: who reads it needs no torch.

N images.
"""

import pandas as pd

from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

SCORES_FILE = "scores.parquet"
PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASS_NAMES)


def open_scores(
    store: ArtifactStore, scores: ScoresRef, snapshot: SnapshotRef, manifest: pd.DataFrame
) -> pd.DataFrame:
    """The scores of a snapshot's images, one row an image in the manifest's order.

    Columns: image_id; out_of_fold (False for images that no network learned
    from anyway: held out, unlabelled, in quarantine); p_angry ... p_neutral (0..1);
    label_quality (0..1, lower = worse; 1 without a label); suggested_label (the likeliest class
    other than the label, 0..6); is_label_issue; face_score (0..1, lower = less like a face).

    Args:
        store: holds both.
        scores: of this snapshot, or of the one that it was derived from.
        snapshot: named in the message.
        manifest: the snapshot's, N rows.

    Raises:
        DataError: the scores are of other images.
        StoreError: they can't be read.
    """
    table = pd.read_parquet(store.fetch(scores, SCORES_FILE))
    if table["image_id"].tolist() != manifest["image_id"].tolist():
        made_of = store.info(scores)["snapshot_id"]
        raise DataError(
            f"scores {scores.id[:12]} are of snapshot {made_of[:12]}, which holds other images "
            f"than {snapshot.id[:12]}; score that one (ferflow task score --snapshot)"
        )
    return table
