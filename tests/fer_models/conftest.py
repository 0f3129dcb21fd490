"""Fixtures shared by the library's tests."""

import pytest

from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import SyntheticFaces, generate_synthetic


@pytest.fixture(scope="session")
def synthetic() -> SyntheticFaces:
    """A thousand synthetic faces with the default rates of defects."""
    return generate_synthetic(SyntheticConfig(num_images=1000), seed=7)
