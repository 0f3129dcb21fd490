"""The setting that a message about the store names: following it opens a store."""

from pathlib import Path

from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config
from tests.fer_models.following import refusal


def test_a_url_that_is_not_supported_is_replaced_by_each_kind_that_is_proposed(
    tmp_path: Path,
) -> None:
    def opened(url: str) -> ArtifactStore:
        return ArtifactStore(load_config("demo", [f"store.url={url}"]).store)

    message = refusal(opened, "gs://bucket/faces")
    assert "expected a folder, file://... or s3://bucket/prefix; change store.url" in message
    for url in (str(tmp_path), f"file://{tmp_path}"):
        assert opened(url).local_root == tmp_path
    assert opened("s3://bucket/prefix").url == "s3://bucket/prefix"
