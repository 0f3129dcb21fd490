"""Cross-validation folds that keep all copies of an image on one side.

N images.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]


def assign_folds(group_names: pd.Series, labels: Integers, num_folds: int, seed: int) -> Integers:
    """Distribute groups of copies over the folds, class by class.

    The fold of a group depends on the seed and on the names of the groups, not on the order of the
    rows, as that of scikit-learn's StratifiedGroupKFold does. The folds have equal numbers of
    groups; therefore one group more or less moves all groups after it, in the order of their
    hashes, to the next fold.

    Args:
        group_names: of each of N images; images with the same name stay together.
        labels: N class numbers; a group counts as the class of its first image.
        num_folds: at least 2.
        seed: of the distribution.

    Returns:
        N fold numbers, 0..num_folds-1.
    """
    groups = pd.DataFrame({"name": group_names.to_numpy(), "label": labels})
    groups = groups.drop_duplicates("name")
    groups["key"] = [
        hashlib.sha256(f"{seed}/{name}".encode()).hexdigest() for name in groups["name"]
    ]
    groups = groups.sort_values(["label", "key"])
    # The count runs on across classes, so that small classes do not all begin at fold 0.
    fold_of = dict(zip(groups["name"], np.arange(len(groups)) % num_folds, strict=True))
    return group_names.map(fold_of).to_numpy(dtype=np.int64)


def join_groups(names: pd.Series, first: Integers, second: Integers) -> pd.Series:
    """Give near duplicates (rows `first[i]` and `second[i]`) and their groups one common name.

    Args:
        names: group name of each of N images, equal for exact copies.
        first: P rows.
        second: P rows, the partners.

    Returns:
        N names; a joined group has the smallest of its names.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, unique = pd.factorize(names, sort=True)
    pairs = coo_array(
        (np.ones(len(first)), (codes[first], codes[second])), shape=(len(unique), len(unique))
    )
    _, component = connected_components(pairs, directed=False)
    smallest = pd.Series(np.arange(len(unique))).groupby(component).transform("min").to_numpy()
    return pd.Series(unique.to_numpy()[smallest[codes]], index=names.index)
