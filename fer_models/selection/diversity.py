"""Choose faces that are unsure and unlike each other.

N candidates, D features.
"""

import warnings

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def choose_diverse(
    uncertainty_N: Floats, features_ND: Floats, count: int, factor: int, seed: int
) -> Rows:
    """Positions of `count` candidates, the least sure first.

    The `factor * count` least sure ones are clustered by k-means into `count` clusters, weighted by
    their uncertainty; of each cluster the one nearest to its centre is chosen. Source: Zhdanov
    2019, Diverse mini-batch active learning.

    Args:
        uncertainty_N: at least 0, higher is less sure.
        features_ND: embeddings of comparable scale.
        count: at most this many are chosen.
        factor: 1 chooses the least sure ones.
        seed: of the first centres.
    """
    order = np.argsort(-uncertainty_N, kind="stable").astype(np.int64)
    pool = order[: factor * count]
    if len(pool) <= count or factor == 1:
        return pool[:count]
    chosen = pool[_representatives(features_ND[pool], uncertainty_N[pool], count, seed)]
    ordered: Rows = chosen[np.argsort(-uncertainty_N[chosen], kind="stable")]
    return ordered


def _representatives(features: Floats, weights: Floats, count: int, seed: int) -> list[int]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    weights = np.maximum(weights, np.finfo(np.float64).tiny)
    with warnings.catch_warnings():
        # Fewer distinct faces than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = KMeans(count, random_state=seed, n_init=1).fit(features, sample_weight=weights)
    distance = np.linalg.norm(features - means.cluster_centers_[means.labels_], axis=1)
    chosen = []
    for cluster in range(count):
        members = np.flatnonzero(means.labels_ == cluster)
        if len(members):
            chosen.append(int(members[distance[members].argmin()]))
    # Candidates with the same features leave clusters empty: the least sure others fill up.
    others = [row for row in range(len(features)) if row not in set(chosen)]
    return chosen + others[: count - len(chosen)]
