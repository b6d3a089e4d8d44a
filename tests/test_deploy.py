"""The files of deploy/ agree with the program and each other; `make check-files` lints them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import typer
import yaml

import ocelot
from ocelot.cli.main import app
from ocelot.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CONTAINER = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
MANIFESTS = {
    (one["kind"], one["metadata"]["name"]): one
    for name in ("milvus.yaml", "ocelot.yaml")
    for one in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text(encoding="utf-8"))
}
POD = MANIFESTS["Deployment", "ocelot"]["spec"]["template"]["spec"]


def test_variables_are_settings() -> None:
    known = {f"OCELOT_{name.upper()}" for name in Settings.model_fields} | {"OCELOT_CACHE"}
    texts = [file.read_text(encoding="utf-8") for file in DEPLOY.rglob("*") if file.is_file()]
    named = set(re.findall(r"\bOCELOT_[A-Z_]+\b", "".join(texts)))
    assert {"OCELOT_DB", "OCELOT_TOKEN", "OCELOT_API_KEYS", "OCELOT_UPLOADS"} <= named <= known


def test_the_containers_command_is_accepted() -> None:
    (entry, command) = (
        json.loads(found) for found in re.findall(r"(?m)^(?:ENTRYPOINT|CMD) (\[.*\])$", CONTAINER)
    )
    assert entry == ["ocelot"]
    serve = typer.main.get_command(app).commands[command[0]]  # type: ignore[attr-defined]
    assert serve.make_context(command[0], command[1:]).params["host"] == "0.0.0.0"


def test_the_image_has_the_python_of_the_locked_torch() -> None:
    bases = set(re.findall(r"(?m)^FROM (\S+)", CONTAINER))
    assert len(bases) == 1 and bases.pop().startswith("python:3.11.")
    assert "CPython 3.11" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_what_the_container_file_copies_is_not_ignored() -> None:
    copied = set(re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", CONTAINER))
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert {name for names in copied for name in names.split()} == set(re.findall("!(.+)", kept))


def test_images_have_versions_and_milvus_is_the_same_everywhere() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name != "ocelot"]
    assert all(re.search(r":(v\d|RELEASE\.\d)", image) for image in images)
    milvus = MANIFESTS["Milvus", "milvus"]["spec"]["components"]["image"]
    assert milvus == SERVICES["milvus"]["image"]
    kustomization = (DEPLOY / "kubernetes/kustomization.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(kustomization)["images"][0]["newTag"] == ocelot.__version__


def test_secrets_come_from_files_that_have_an_example() -> None:
    example = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?\}", COMPOSE)) == set(re.findall(r"(?m)^(\w+)=$", example))
    example = (DEPLOY / "kubernetes/secret.env.example").read_text(encoding="utf-8")
    manifests = json.dumps(list(MANIFESTS.values()))
    keys = re.findall(r'"secretKeyRef": {"name": "ocelot", "key": "(\w+)"}', manifests)
    assert set(keys) == set(re.findall(r"(?m)^(\w+)=$", example))
    assert not any(word in COMPOSE for word in ("minioadmin", "root:Milvus"))


def test_ocelot_runs_without_rights() -> None:
    (container,) = POD["containers"]
    (user,) = re.findall(r"(?m)^USER (\d+):\1$", CONTAINER)
    assert POD["securityContext"]["runAsUser"] == int(user) > 0
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert SERVICES["ocelot"]["read_only"] is True and SERVICES["ocelot"]["cap_drop"] == ["ALL"]
    folders = set(re.findall(r'"(/\w+)"', re.findall(r"(?m)^VOLUME (.+)$", CONTAINER)[0]))
    assert folders < {mount["mountPath"] for mount in container["volumeMounts"]}
    assert folders < {volume.split(":")[1] for volume in SERVICES["ocelot"]["volumes"]}


def test_the_server_may_stop_before_it_is_killed() -> None:
    stop = Settings.model_fields["stop_timeout"].default
    assert POD["terminationGracePeriodSeconds"] > stop
    assert int(SERVICES["ocelot"]["stop_grace_period"].rstrip("s")) > stop


def test_services_wait_for_what_they_need() -> None:
    watched = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert watched | {"ocelot"} == set(SERVICES) and "HEALTHCHECK" in CONTAINER
    for service in SERVICES.values():
        conditions = service.get("depends_on", {}).values()
        assert all(one == {"condition": "service_healthy"} for one in conditions)


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == ocelot.__version__ and citation["license"] == "Apache-2.0"
