import pytest
import timm

from fer_models.models.factory import OWN_NETWORKS
from fer_models.models.names import OWN_NAMES, network_problem, timm_registered


def test_the_names_read_from_the_sources_are_those_that_timm_knows() -> None:
    assert set(timm.list_models()) <= timm_registered()
    assert all(timm.is_model(name) for name in timm_registered())
    assert OWN_NAMES == OWN_NETWORKS


@pytest.mark.parametrize("name", ["face_cnn", "resnet34", "resnet34.a1_in1k"])
def test_known_networks_have_no_problem(name: str) -> None:
    assert network_problem(name) is None


def test_an_unknown_network_gets_suggestions() -> None:
    problem = network_problem("resnet999")
    assert problem is not None
    assert "did you mean" in problem
    assert "resnet50" in problem
