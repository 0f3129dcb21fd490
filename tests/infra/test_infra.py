"""The infrastructure files are valid and consistent with the code; nothing is started."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
ONE_SHOT = {"deploy"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
    return parsed


def test_every_image_has_a_fixed_tag(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    images += re.findall(
        r"^FROM (\S+)|--from=(\S+:\S+)", (INFRA / "Dockerfile").read_text(), re.MULTILINE
    )
    names = [name for image in images for name in ([image] if isinstance(image, str) else image)]
    for name in filter(None, names):
        assert re.search(r":\d[\w.-]*$|:3\.11-slim-\w+$", name), name
        assert "latest" not in name


def test_services_have_health_checks_and_existing_dependencies(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert ("healthcheck" in service) == (name not in ONE_SHOT), name
        for needed, rule in service.get("depends_on", {}).items():
            finished = rule["condition"] == "service_completed_successfully"
            assert finished == (needed in ONE_SHOT)
            assert needed in services


def test_ports_are_bound_to_localhost(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_is_committed(compose: dict[str, Any]) -> None:
    text = (INFRA / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) - {"FERFLOW_DATA", "WANDB_MODE"} == {
        line.split("=")[0]
        for line in (INFRA / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    }
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "KEY" in name:
                assert value.startswith("${"), name


def test_the_worker_serves_the_pool_of_the_deployments(compose: dict[str, Any]) -> None:
    prefect = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())
    pools = {deployment["work_pool"]["name"] for deployment in prefect["deployments"]}
    worker = " ".join(compose["services"]["worker"]["command"])
    assert pools == set(re.findall(r"--pool (\S+)", worker))


def test_the_image_contains_every_package_and_runs_without_root() -> None:
    dockerfile = (INFRA / "Dockerfile").read_text()
    for package in ("fer_models", "validation", "tasks", "flows", "deployments"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}\n" in (INFRA / "Dockerfile.dockerignore").read_text()
    assert re.search(r"^USER ferflow$", dockerfile, re.MULTILINE)
    locked_uv = re.search(r"^uv==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked_uv
    assert f"astral-sh/uv:{locked_uv[1]} " in dockerfile


def test_the_user_of_the_image_owns_the_folders_of_its_volumes(compose: dict[str, Any]) -> None:
    dockerfile = (INFRA / "Dockerfile").read_text()
    as_root = dockerfile.partition("\nUSER ferflow\n")[0]
    folders = [
        volume.split(":")[1]
        for service in compose["services"].values()
        if service["image"].startswith("ferflow:")
        for volume in service.get("volumes", [])
        if volume.split(":")[0] in compose["volumes"]
    ]
    assert folders
    for folder in folders:
        made = re.search(rf"\bmkdir (-p )?{re.escape(folder)}\s", as_root)
        owned = re.search(rf"\bchown ferflow:ferflow {re.escape(folder)}\s", as_root)
        assert made, folder
        assert owned, folder
        assert made.start() < owned.start()


def test_the_deployments_get_every_variable_they_are_built_from(compose: dict[str, Any]) -> None:
    given = compose["services"]["deploy"]["environment"]
    steps = (ROOT / "deployments" / "steps.py").read_text()
    names = set(re.findall(r'"(FERFLOW_\w+)"', steps))
    assert names == {name for name in given if name.startswith("FERFLOW_")}
    assert given["FERFLOW_OVERRIDES"] == "${FERFLOW_OVERRIDES:-}"  # optional


def test_the_ray_cluster_file_matches_the_schema_of_ray() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    ray = importlib.util.find_spec("ray")
    assert ray
    assert ray.origin
    schema = Path(ray.origin).parent / "autoscaler" / "ray-schema.json"
    cluster = yaml.safe_load((INFRA / "ray-cluster.yaml").read_text())
    jsonschema.validate(cluster, json.loads(schema.read_text()))


def test_the_image_gets_the_files_that_the_build_reads() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    copied = (INFRA / "Dockerfile").read_text().split()
    sent = (INFRA / "Dockerfile.dockerignore").read_text().split()
    for file in (project["readme"], *project["license-files"]):
        assert (ROOT / file).is_file()
        assert file in copied
        assert f"!{file}" in sent
