"""Folds for out-of-fold probabilities: copies of an image never stand on both sides.

N images.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]


def assign_folds(group_names: pd.Series, labels: Integers, num_folds: int, seed: int) -> Integers:
    """Deal groups of copies out to folds, class by class.

    The fold of a group hangs on the seed and on the groups' names only, not on the order of the
    rows, so a few more images leave most others where they were.

    Args:
        group_names: of each of N images; images with the same name stay together.
        labels: N class numbers; a group is dealt with the class of its first image.
        num_folds: at least 2.
        seed: another seed, other folds.

    Returns:
        N fold numbers, 0..num_folds-1.
    """
    groups = pd.DataFrame({"name": group_names.to_numpy(), "label": labels})
    groups = groups.drop_duplicates("name")
    groups["key"] = [
        hashlib.sha256(f"{seed}/{name}".encode()).hexdigest() for name in groups["name"]
    ]
    groups = groups.sort_values(["label", "key"])
    # Dealt on from class to class, so that small classes don't all begin at fold 0.
    fold_of = dict(zip(groups["name"], np.arange(len(groups)) % num_folds, strict=True))
    return group_names.map(fold_of).to_numpy(dtype=np.int64)


def join_groups(names: pd.Series, first: Integers, second: Integers) -> pd.Series:
    """Give images that are pairs of near copies (rows `first[i]`, `second[i]`) one group name.

    Args:
        names: group name of each of N images, equal for exact copies.
        first: P rows.
        second: P rows, the partners.

    Returns:
        N names; that of a joined group is its smallest one.
    """
    codes, unique = pd.factorize(names, sort=True)
    parent = np.arange(len(unique))

    def root(code: int) -> int:
        while parent[code] != code:
            parent[code] = parent[parent[code]]
            code = int(parent[code])
        return code

    for a, b in zip(codes[first].tolist(), codes[second].tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    roots = np.array([root(code) for code in range(len(unique))], dtype=np.int64)
    return pd.Series(unique.to_numpy()[roots[codes]], index=names.index)
