"""Rendered faces show their action units."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from fer_models.dataset.snapshot import Images
from fer_models.labels import Expression
from fer_models.synthetic.action_units import ACTION_UNITS, PROTOTYPES, Traits, draw_traits
from fer_models.synthetic.faces import draw_faces
from fer_models.synthetic.generate import SyntheticFaces

BROWS, EYES, MOUTH = slice(4, 19), slice(16, 28), slice(30, 46)


def neutral_faces(count: int = 40) -> Traits:
    """Upright faces without any action unit."""
    traits = draw_traits(np.full(count, Expression.NEUTRAL), np.random.default_rng(0))
    upright = {"shift_x", "shift_y", "roll", "yaw", "pitch", "asymmetry"}
    still = {f"au{unit}" for unit in ACTION_UNITS}
    zero = np.zeros(count, dtype=np.float32)
    absent = {"glasses": zero - 1, "cover": zero - 1, "beard": zero - 1, "noise": zero}
    return {
        **{name: zero if name in upright | still else values for name, values in traits.items()},
        "scale": zero + 24,
        **absent,
    }


def drawn(traits: Traits, **units: float) -> Images:
    moved = {name: np.full_like(traits[name], value) for name, value in units.items()}
    return draw_faces({**traits, **moved}, np.random.default_rng(0))


def change(traits: Traits, rows: slice, **units: float) -> float:
    """Mean change of the grey values in some rows, 0..255."""
    gap = drawn(traits, **units).astype(int) - drawn(traits).astype(int)
    return float(np.abs(gap[:, rows]).mean())


@pytest.mark.parametrize(
    ("units", "where", "elsewhere"),
    [
        ({"au1": 1.0, "au2": 1.0}, BROWS, MOUTH),
        ({"au5": 1.0}, EYES, MOUTH),
        ({"au12": 1.0}, MOUTH, BROWS),
        ({"au15": 1.0}, MOUTH, BROWS),
        ({"au25": 1.0, "au26": 1.0}, MOUTH, BROWS),
    ],
)
def test_action_units_move_their_part_of_the_face(
    units: dict[str, float], where: slice, elsewhere: slice
) -> None:
    traits = neutral_faces()
    assert change(traits, where, **units) > 3 * change(traits, elsewhere, **units)


def test_a_dropped_jaw_opens_a_dark_mouth() -> None:
    traits = neutral_faces()
    mouth = (slice(None), slice(36, 40), slice(22, 26))
    opened = drawn(traits, au25=1.0, au26=1.0)[mouth].mean()
    assert opened < 0.4 * drawn(traits)[mouth].mean()


def test_a_smile_raises_the_corners_of_the_mouth_and_sadness_lowers_them() -> None:
    traits = neutral_faces()
    corner = np.s_[:, 30:44, 15:19]
    darkness = {
        name: (255.0 - drawn(traits, **{name: 1.0})[corner]).mean(axis=(0, 2))
        for name in ("au12", "au15")
    }
    rows = np.arange(30, 44)
    plain = (255.0 - drawn(traits)[corner]).mean(axis=(0, 2))
    height = {
        name: (rows * np.maximum(dark - plain, 0)).sum() / np.maximum(dark - plain, 0).sum()
        for name, dark in darkness.items()
    }
    assert height["au12"] + 2 < height["au15"]


def test_every_expression_has_a_prototype_of_known_action_units() -> None:
    assert set(PROTOTYPES) == set(Expression)
    assert {unit for prototype in PROTOTYPES.values() for unit in prototype} <= set(ACTION_UNITS)


def test_a_linear_model_learns_the_expressions_only_partly(
    synthetic: SyntheticFaces,
) -> None:
    labels = synthetic.manifest_fields["label"].to_numpy()
    train = (synthetic.manifest_fields["split"] == "train").to_numpy()
    test = (synthetic.manifest_fields["split"] == "test").to_numpy()
    pixels = synthetic.images.reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4)).reshape(len(labels), -1)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(pixels[train], labels[train])
    # n = 150, the largest class has 24 %.
    assert 0.3 < model.score(pixels[test], labels[test]) < 0.65
