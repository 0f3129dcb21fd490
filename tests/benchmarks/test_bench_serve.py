"""The load of the benchmark, on a tiny network: 200 requests at once, and none is lost."""

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.server import InferenceServer
from deployments.inference_server.settings import ServingConfig
from fer_models.storage.store import ArtifactStore
from tests.benchmarks.bench_serve import CLIENTS, faces
from tests.benchmarks.load import send
from tests.fer_models.inference.builders import stored_network


def test_200_clients_at_once_lose_nothing_and_are_predicted_together(store: ArtifactStore) -> None:
    model = stored_network(store)
    with (
        InferenceService(model.id, store, ServingConfig()) as service,
        InferenceServer(service, port=0) as server,
    ):
        load = send(server.url, faces(CLIENTS), clients=CLIENTS)
        text = service.metrics.text().decode()
    assert len(load.statuses) == CLIENTS
    assert load.lost == 0
    batches = float(text.partition("ferflow_batch_pictures_count ")[2].split()[0])
    assert batches < CLIENTS / 2
