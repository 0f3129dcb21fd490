import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.engine.fit import fit
from fer_models.training.inputs.data import training_data
from fer_models.training.objective.auxiliary_head import AuxiliaryHead, classifier_inputs
from fer_models.training.train import train_member
from tests.fer_models.training.conftest import MEMBER, UNTRACKED
from tests.fer_models.training.faces import write_faces

WITH_HEAD = MEMBER.model_copy(
    update={"training": MEMBER.training.model_copy(update={"auxiliary_head_weight": 1.0})}
)


def test_the_loss_is_the_cross_entropy_of_the_votes() -> None:
    torch.manual_seed(0)
    head = AuxiliaryHead(torch.nn.Sequential(torch.nn.Linear(5, NUM_CLASSES)))
    features = torch.randn(4, 5)
    votes = torch.tensor([0, 3, 9, 3])
    classes = torch.zeros(4, NUM_CLASSES)
    targets = torch.cat([classes, functional.one_hot(votes, len(VOTE_COLUMNS)).float()], 1)
    probabilities = head(features).softmax(1).detach().double().numpy()
    probabilities /= probabilities.sum(1, keepdims=True)
    expected = log_loss(votes, probabilities, labels=range(len(VOTE_COLUMNS)))
    assert float(head.loss(features, targets).detach()) == pytest.approx(expected, rel=1e-5)


def test_images_without_votes_contribute_nothing() -> None:
    head = AuxiliaryHead(torch.nn.Sequential(torch.nn.Linear(5, NUM_CLASSES)))
    features = torch.randn(4, 5, requires_grad=True)
    loss = head.loss(features, torch.zeros(4, NUM_CLASSES + len(VOTE_COLUMNS)))
    loss.backward()
    assert float(loss.detach()) == 0
    assert features.grad is not None
    assert not features.grad.any()


@pytest.mark.parametrize("name", ["compact_cnn", "scratch_mlp", "resnet10t"])
def test_the_features_are_the_classifiers_input(name: str) -> None:
    network = build_network(NetworkConfig(name=name)).eval()
    with torch.no_grad(), classifier_inputs(network) as features:
        logits = network(torch.randn(2, 1, 48, 48))
    head = AuxiliaryHead(network)
    assert head(features[0]).shape == (2, len(VOTE_COLUMNS))
    assert len(features) == 1
    assert logits.shape == (2, NUM_CLASSES)
    with torch.no_grad():
        network(torch.randn(2, 1, 48, 48))
    assert len(features) == 1  # the hook is removed


def test_votes_change_the_features_but_not_the_architecture(store: ArtifactStore) -> None:
    data = training_data(open_snapshot(store, write_faces(store, voted=True)))
    plain, voting = (fit(data, member, 0, lambda _: None) for member in (MEMBER, WITH_HEAD))
    weights = voting.network.state_dict()
    assert list(weights) == list(plain.network.state_dict())
    assert not torch.equal(weights["stem.0.weight"], plain.network.state_dict()["stem.0.weight"])
    # The reported loss excludes the auxiliary loss.
    assert voting.curve[0].train_loss < plain.curve[0].train_loss + 0.5


def test_a_training_without_votes_reports_that_there_is_no_auxiliary_head(
    store: ArtifactStore,
) -> None:
    events: list[Progress] = []
    with listening(events.append):
        model = train_member(store, write_faces(store), WITH_HEAD, 0, UNTRACKED)
    assert any("no image has FER+ votes" in progress.note for progress in events)
    accuracy = store.info(model)["validation_accuracy"]
    assert np.isfinite(accuracy)


def test_a_network_without_a_classifier_cannot_have_an_auxiliary_head() -> None:
    with pytest.raises(ConfigError, match="auxiliary_head_weight=0"):
        AuxiliaryHead(torch.nn.Conv2d(1, 7, 3))
