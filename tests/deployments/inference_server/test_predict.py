"""Pictures in any body get the same answer as from Python; damaged ones get a reason."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.settings import ServingConfig
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.storage.store import ArtifactStore
from tests.deployments.inference_server.conftest import client_of, png
from tests.fer_models.faces.pictures import photo


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _faces(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [picture["faces"][0] for picture in answer.json()["pictures"]]


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"pictures": ("a.png", png())}},
        {"json": {"pictures": [{"name": "a.png", "data": _encoded(png())}]}},
        {"json": {"pictures": [{"data": f"data:image/png;base64,{_encoded(png())}"}]}},
        {"content": png(), "headers": {"Content-Type": "image/png"}},
        {"content": png(), "headers": {"Content-Type": "application/octet-stream"}},
    ],
    ids=["multipart", "json", "data-url", "image", "octet-stream"],
)
def test_every_body_gives_the_probabilities_of_python(
    client: TestClient, champions: ArtifactStore, sent: dict[str, Any]
) -> None:
    model = open_model("small-0", champions)
    [expected] = predict_pictures([Picture("a.png", data=png())], model, "crop")
    answer = client.post("/predict?faces=crop", **sent)
    [face] = _faces(answer)
    assert face["label"] == expected.faces[0].label
    assert face["probabilities"] == pytest.approx(dict(expected.faces[0].probabilities), abs=1e-3)
    assert answer.json()["model"] == "small-0"
    assert answer.json()["timing"]["batch_pictures"] >= 1


def test_a_batch_keeps_its_order_and_names(client: TestClient) -> None:
    files = [("pictures", (f"{seed}.png", png(seed))) for seed in range(5)]
    answer = client.post("/predict?faces=crop", files=files)
    alone = [
        _faces(client.post("/predict?faces=crop", files=[file]))[0]["probabilities"]
        for file in files
    ]
    assert [one["path"] for one in answer.json()["pictures"]] == [f"{n}.png" for n in range(5)]
    together = [face["probabilities"] for face in _faces(answer)]
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_the_smallest_face_is_a_setting(champions: ArtifactStore) -> None:
    picture = io.BytesIO()
    Image.fromarray(photo((20, 40, 160), (240, 100, 80))).save(picture, "PNG")
    files = {"pictures": ("photo.png", picture.getvalue())}
    counts = []
    for config in (ServingConfig(), ServingConfig(min_face_px=110)):
        with InferenceService("small-0", champions, config) as service:
            [found] = client_of(service).post("/predict", files=files).json()["pictures"]
            counts.append(len(found["faces"]))
    assert counts == [2, 1]


def test_a_damaged_picture_among_others_has_a_reason(client: TestClient) -> None:
    files = [("pictures", ("a.png", png())), ("pictures", ("b.png", b"no picture"))]
    good, bad = client.post("/predict?faces=crop", files=files).json()["pictures"]
    assert good["faces"]
    assert not bad["faces"]
    assert "not a readable image" in bad["reason"]


@pytest.mark.parametrize("faces", ["crop", "auto", "detect"])
@pytest.mark.parametrize(
    "data", [b"", b"no picture", png()[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a"]
)
def test_damaged_input_is_the_clients_error(client: TestClient, data: bytes, faces: str) -> None:
    answer = client.post(f"/predict?faces={faces}", files={"pictures": ("a.png", data)})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "unusable_input"
    assert answer.json()["problems"]
    assert answer.json()["remedy"]


def test_no_face_is_an_answer_and_no_error(client: TestClient) -> None:
    blank = io.BytesIO()
    Image.fromarray(np.full((200, 300, 3), 200, np.uint8)).save(blank, "PNG")
    files = {"pictures": ("wall.png", blank.getvalue())}
    answer = client.post("/predict?faces=detect", files=files)
    assert answer.status_code == 200
    [picture] = answer.json()["pictures"]
    assert picture["faces"] == []
    assert "no face" in picture["reason"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({}, 415, "unsupported_media_type"),
        (
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            415,
            "unsupported_media_type",
        ),
        ({"json": {"pictures": []}}, 422, "unusable_input"),
        ({"json": {"pictures": [{"data": "%%%"}, {"data": "ab"}]}}, 422, "unusable_input"),
        ({"json": {"images": []}}, 422, "unusable_input"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "unusable_input"),
        (
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            "malformed_request",
        ),
        (
            {
                "content": b"--a\r\nContent-Disposition: form-data",
                "headers": {"Content-Type": "multipart/form-data; boundary=a"},
            },
            422,
            "unusable_input",
        ),
        ({"data": {"pictures": "text"}, "files": {"a": ("a.png", png())}}, 422, "unusable_input"),
    ],
)
def test_a_body_without_pictures_is_explained(
    client: TestClient, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/predict", **sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["error"].startswith("expected")
    assert answer.json()["remedy"]


def test_all_problems_of_a_body_are_reported_together(client: TestClient) -> None:
    pictures = [{"data": "%%%"}, {"data": _encoded(png())}, {"data": "a"}]
    answer = client.post("/predict", json={"pictures": pictures})
    assert [problem[:15] for problem in answer.json()["problems"]] == [
        "pictures.0.data",
        "pictures.2.data",
    ]


def test_an_unknown_mode_is_explained(client: TestClient) -> None:
    answer = client.post("/predict?faces=some", files={"pictures": ("a.png", png())})
    assert answer.status_code == 422
    assert "query.faces" in answer.json()["problems"][0]


@pytest.mark.parametrize(
    ("address", "known"), [("/predict", "faces"), ("/explain", "label, box, landmarks")]
)
def test_unknown_parameters_are_refused_and_all_named(
    client: TestClient, address: str, known: str
) -> None:
    files = {"pictures": ("a.png", png())}
    answer = client.post(f"{address}?face=crop&bogus=1", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "unusable_input")
    assert answer.json()["problems"] == [
        f"query.face: expected one of {known}, got an unknown parameter",
        f"query.bogus: expected one of {known}, got an unknown parameter",
    ]


def test_the_heat_map_of_a_crop_covers_the_picture(client: TestClient) -> None:
    answer = client.post("/explain?label=happy", files={"pictures": ("a.png", png())})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["label"], answer.json()["box"]) == ("happy", None)
    data = base64.b64decode(answer.json()["image"].partition(",")[2])
    assert Image.open(io.BytesIO(data)).mode == "RGBA"


def test_the_heat_map_of_a_found_face_covers_the_square_around_its_box(client: TestClient) -> None:
    files = {"pictures": ("a.png", png(size=(300, 200)))}
    answer = client.post("/explain?box=100,50,160,130", files=files)
    assert (answer.json()["box"], answer.json()["angle_deg"]) == ([94, 54, 166, 126], 0)
    # The right eye is lower than the left one: the face is turned clockwise.
    points = "115,70,145,75,128,92,112,108,136,112"
    answer = client.post(f"/explain?box=100,50,160,130&landmarks={points}", files=files)
    assert 5 < answer.json()["angle_deg"] < 15
    outside = client.post("/explain?box=400,50,460,130", files=files)
    assert outside.status_code == 422
    assert "300 x 200" in outside.json()["error"]
    unknown = client.post("/explain?label=proud", files=files)
    assert "expected one of angry, disgust" in unknown.json()["error"]


def test_model_card_health_and_metrics(client: TestClient, service: InferenceService) -> None:
    client.post("/predict?faces=crop", files={"pictures": ("a.png", png())})
    model = client.get("/model").json()
    assert (model["model"], model["heat_maps"], model["follows"]) == ("small-0", True, None)
    assert model["calibrated"] is False
    titles = [section["title"] for section in client.get("/model/card").json()["sections"]]
    assert {"Model Details", "Intended Use", "Ethical Considerations"} <= set(titles)
    health = client.get("/health").json()
    assert (health["status"], health["ready"], health["champion_problem"]) == ("ok", True, None)
    text = client.get("/metrics").text
    for line in (
        'ferflow_requests_total{method="POST",path="/predict",status="200"}',
        'ferflow_model_info{name="small-0"} 1.0',
        'ferflow_pictures_total{outcome="faces"}',
        "ferflow_batch_pictures_bucket",
        "ferflow_waiting_pictures 0.0",
    ):
        assert line in text
