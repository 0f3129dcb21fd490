"""`ferflow models average`."""

import json

from click.testing import CliRunner, Result

from deployments.cli import main
from fer_models.storage.store import ArtifactStore
from tests.fer_models.inference.builders import stored_network


def ferflow(store: ArtifactStore, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments, "--store", store.url])


def test_the_average_stands_beside_the_networks(store: ArtifactStore) -> None:
    first, second = stored_network(store, 0), stored_network(store, 1)
    done = ferflow(store, "average", first.id, second.id, "--name", "soup", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told["validation_accuracy"]) == [first.id, second.id, told["model"]]
    assert f"{told['model']} (average)" in done.output
    shown = ferflow(store, "show", told["model"]).output
    assert f"average of {first.id}, {second.id}" in " ".join(shown.split())
    card = ferflow(store, "card", told["model"]).output
    assert f"The mean of the weights of {first.id}, {second.id}" in " ".join(card.split())
    assert ferflow(store, "compare", first.id, told["model"]).exit_code == 0


def test_one_network_alone_is_refused(store: ArtifactStore) -> None:
    model = stored_network(store)
    before = sorted(store.local_root.rglob("*"))
    done = ferflow(store, "average", model.id)
    assert done.exit_code == 2
    assert f"at least two networks, got {model.id}" in done.stderr
    assert ferflow(store, "average", "nobody", model.id).exit_code == 2
    assert sorted(store.local_root.rglob("*")) == before
