"""The server does what its OpenAPI document says, also with what nobody would send."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from starlette.testclient import TestClient

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.web.app import build_app

_POSITIVE, _NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
_OPERATIONS = [
    ("/predict", "POST", _POSITIVE),
    ("/predict", "POST", _NEGATIVE),
    ("/explain", "POST", _POSITIVE),
    ("/explain", "POST", _NEGATIVE),
    *((path, "GET", _POSITIVE) for path in ("/model", "/model/card", "/metrics")),
    *((f"/health{path}", "GET", _POSITIVE) for path in ("", "/live", "/ready")),
]
# A schema can't say that bytes are an image: data that fits it may still be refused.
_EXCLUDED = [positive_data_acceptance, ignored_auth]


@pytest.mark.parametrize(("path", "method", "mode"), _OPERATIONS)
def test_answers_are_as_documented(
    service: InferenceService, path: str, method: str, mode: GenerationMode
) -> None:
    app = build_app(service, ("testserver",), token=None)
    operation = schemathesis.openapi.from_asgi("/openapi.json", app)[path][method]

    @settings(
        max_examples=12 if method == "POST" else 2,
        deadline=None,
        phases=(Phase.generate,),
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=_EXCLUDED)

    check()


def test_every_operation_is_tested(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    documented = {(path, method.upper()) for path, one in paths.items() for method in one}
    assert documented == {(path, method) for path, method, _ in _OPERATIONS}


def test_the_example_of_the_document_is_accepted(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    answer = client.post("/predict?faces=crop", json=body["application/json"]["example"])
    assert answer.status_code == 200, answer.text
