"""Reading stored label scores; needs no torch.

N images.
"""

import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.errors import DataError
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

SCORES_FILE = "scores.parquet"
PAIRS_FILE = "similar_pairs.parquet"


def probability_columns(classes: ClassList) -> list[str]:
    """The names of the K columns of probabilities, in class order."""
    return [f"p_{name}" for name in classes.names]


def open_scores(
    store: ArtifactStore, scores: ScoresRef, snapshot: SnapshotRef, manifest: pd.DataFrame
) -> pd.DataFrame:
    """Scores of a snapshot's images, one row per image, in the order of the manifest.

    Columns: image_id; out_of_fold (False for images that no network is trained on: held out,
    unlabelled, quarantined); p_<class> for each class (0..1); label_quality (0..1, lower = worse; 1
    without a label); suggested_label (the most likely class other than the label);
    is_label_issue; face_score (0..1, lower = less like a face).

    Args:
        store: holds both.
        scores: of this snapshot, or of the snapshot that it was derived from.
        snapshot: named in the error message.
        manifest: of the snapshot, N rows.

    Raises:
        DataError: the scores belong to other images.
        StoreError: the scores can't be read.
    """
    table = pd.read_parquet(store.fetch(scores, SCORES_FILE))
    if table["image_id"].tolist() != manifest["image_id"].tolist():
        scored = store.info(scores)["snapshot_id"]
        raise DataError(
            f"scores {scores.id[:12]} are of snapshot {scored[:12]}, which holds other images than "
            f"{snapshot.id[:12]}; run `ferflow task score --snapshot {snapshot.id[:12]}`"
        )
    return table


def open_similarities(
    store: ArtifactStore, scores: ScoresRef, manifest: pd.DataFrame
) -> SimilarityCache:
    """Similarities of the image pairs that scoring aligned; empty if the scores hold none.

    Args:
        store: holds the scores.
        scores: of any snapshot; pairs of pixels that the manifest lacks are ignored.
        manifest: of the snapshot to search, N rows.

    Raises:
        StoreError: the file can't be read.
    """
    pixels = manifest["pixel_sha256"]
    if PAIRS_FILE not in store.describe(scores).files:
        return SimilarityCache(pixels)
    return SimilarityCache(pixels, pd.read_parquet(store.fetch(scores, PAIRS_FILE)))
