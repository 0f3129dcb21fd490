"""Images that look like no face of the training are told from those that do."""

import numpy as np
import pytest

from fer_models.dataset.image_format import to_thumbnails
from fer_models.faces.familiarity import MIN_FACES, FaceFamiliarity, fit_familiarity
from tests.fer_models.faces.pictures import synthetic_faces

FITTED = MIN_FACES


@pytest.fixture(scope="module")
def fitted() -> FaceFamiliarity:
    familiarity = fit_familiarity(synthetic_faces()[:FITTED])
    assert familiarity is not None
    return familiarity


def test_faces_are_familiar_and_other_pictures_are_not(fitted: FaceFamiliarity) -> None:
    rng = np.random.default_rng(0)
    faces = synthetic_faces()[FITTED:]
    assert np.median(fitted.unfamiliarity(faces)) < 0.8
    others = [
        np.full((48, 48), 255),
        np.zeros((48, 48)),
        rng.integers(0, 256, (48, 48)),
        np.tile(np.linspace(0, 255, 48), (48, 1)),
    ]
    assert (fitted.unfamiliarity(np.stack(others).astype(np.uint8)) > 0.995).all()


def test_the_score_is_the_share_of_more_familiar_faces(fitted: FaceFamiliarity) -> None:
    scores = fitted.unfamiliarity(synthetic_faces()[FITTED:])
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert np.mean(scores > 0.9) < 0.25


def test_the_text_keeps_the_scores(fitted: FaceFamiliarity) -> None:
    images = synthetic_faces()[:20]
    read = FaceFamiliarity.from_text(fitted.to_text())
    np.testing.assert_allclose(read.unfamiliarity(images), fitted.unfamiliarity(images), atol=1e-4)


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "UEsDBBQAAAA="])
def test_damaged_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        FaceFamiliarity.from_text(text)


def test_colours_and_sizes_are_scored_as_their_thumbnails(fitted: FaceFamiliarity) -> None:
    large = np.repeat(np.repeat(synthetic_faces()[:4], 2, axis=1), 2, axis=2)
    colours = np.stack([large] * 3, axis=3)
    small = to_thumbnails(colours)
    np.testing.assert_array_equal(fitted.unfamiliarity(colours), fitted.unfamiliarity(small))


def test_few_faces_say_nothing() -> None:
    assert fit_familiarity(synthetic_faces()[: MIN_FACES - 1]) is None
