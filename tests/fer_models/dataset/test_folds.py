import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fer_models.dataset.folds import assign_folds, join_groups

images = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 6)), min_size=1, max_size=60)


def names_of(numbers: list[int]) -> pd.Series:
    return pd.Series([f"group-{number}" for number in numbers], dtype="str")


@settings(max_examples=60)
@given(images=images, num_folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_copies_stay_together_and_folds_are_even(
    images: list[tuple[int, int]], num_folds: int, seed: int
) -> None:
    names = names_of([group for group, _ in images])
    labels = np.array([label for _, label in images])
    folds = assign_folds(names, labels, num_folds, seed)
    table = pd.DataFrame({"name": names, "fold": folds})
    assert len(table.drop_duplicates()) == names.nunique()
    sizes = np.bincount(table.drop_duplicates("name")["fold"], minlength=num_folds)
    assert sizes.max() - sizes.min() <= 1


def test_classes_are_spread_evenly_over_the_folds() -> None:
    labels = np.repeat([0, 1, 2], [40, 12, 4])
    folds = assign_folds(names_of(list(range(56))), labels, 4, 0)
    for label, share in ((0, 10), (1, 3), (2, 1)):
        assert np.bincount(folds[labels == label], minlength=4).tolist() == [share] * 4


@settings(max_examples=30)
@given(order=st.permutations(range(24)))
def test_folds_do_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    names, labels = names_of(list(range(24))), np.arange(24) % 7
    folds = assign_folds(names, labels, 3, 5)
    moved = assign_folds(names.iloc[order].reset_index(drop=True), labels[order], 3, 5)
    assert moved.tolist() == folds[order].tolist()


def test_another_seed_gives_other_folds() -> None:
    names, labels = names_of(list(range(50))), np.zeros(50, dtype=np.int64)
    assert assign_folds(names, labels, 5, 0).tolist() != assign_folds(names, labels, 5, 1).tolist()


@settings(max_examples=60)
@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=30),
    pairs=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=20),
)
def test_joined_groups_are_the_connected_components(
    groups: list[int], pairs: list[tuple[int, int]]
) -> None:
    size = len(groups)
    pairs = [(a % size, b % size) for a, b in pairs]
    first = np.array([a for a, _ in pairs], dtype=np.int64)
    second = np.array([b for _, b in pairs], dtype=np.int64)
    joined = join_groups(names_of(groups), first, second)
    same_group = [(i, groups.index(group)) for i, group in enumerate(groups)]
    edges = np.array([*pairs, *same_group])
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(size, size))
    _, expected = connected_components(graph, directed=False)
    codes, _ = pd.factorize(joined)
    assert (codes[:, None] == codes[None]).tolist() == (
        expected[:, None] == expected[None]
    ).tolist()
