"""The server does what its OpenAPI document says, also with what nobody would send."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from starlette.testclient import TestClient

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.web.app import build_app


@pytest.fixture
def api_schema(service: InferenceService) -> schemathesis.BaseSchema:
    app = build_app(service, ("testserver", "localhost"), token=None)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: schemathesis.Case) -> None:
    # A schema can't say that bytes are an image: data that fits it may still be refused.
    case.call_and_validate(excluded_checks=[positive_data_acceptance, ignored_auth])


def test_the_example_of_the_document_is_accepted(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    answer = client.post("/predict?faces=crop", json=body["application/json"]["example"])
    assert answer.status_code == 200, answer.text
