"""The manifests of examples/scale, against the schemas that their systems publish."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from typer.main import get_command

from labeler.cli.app import app

FOLDER = ROOT / "examples" / "scale"

SBATCH = {
    "array", "cpus-per-task", "job-name", "mem-per-cpu", "ntasks", "output", "requeue", "signal", "time",
}  # fmt: skip
"""Long options of sbatch, from its manual page, that our script uses."""

RAY_JOB = {
    "spec": {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec"},
    "rayClusterSpec": {
        "rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec", "workerGroupSpecs",
    },
    "autoscalerOptions": {"idleTimeoutSeconds"},
    "headGroupSpec": {"rayStartParams", "template"},
    "workerGroupSpecs": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
}  # fmt: skip
"""Fields of KubeRay's `ray.io/v1` API that our manifest uses. No package carries the schema of its resources."""


def loaded(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a manifest; a list of texts is a command, joined."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield shlex.join(value)
        else:
            for one in value:
                yield from texts(one)


def test_the_kubernetes_job_is_valid() -> None:
    validator = pytest.importorskip("kubernetes_validate")

    validator.validate(loaded("kubernetes-job.yaml"), validator.latest_version(), strict=True)


def test_the_shards_of_the_kubernetes_job_are_its_completions() -> None:
    spec = loaded("kubernetes-job.yaml")["spec"]

    assert f"auto/{spec['completions']}" in spec["template"]["spec"]["containers"][0]["command"]


def test_the_ray_cluster_is_valid() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    ray = pytest.importorskip("ray.autoscaler")
    schema = json.loads(files(ray).joinpath("ray-schema.json").read_text("utf-8"))

    jsonschema.validate(loaded("ray-cluster.yaml"), schema)
    assert set(loaded("ray-cluster.yaml")) <= set(schema["properties"])


def test_the_pods_of_the_ray_job_are_valid() -> None:
    validator = pytest.importorskip("kubernetes_validate")
    cluster = loaded("rayjob.yaml")["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": group["template"]["spec"]}
        validator.validate(pod, validator.latest_version(), strict=True)


def test_the_ray_job_has_only_fields_of_its_kind() -> None:
    job = loaded("rayjob.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    found = {
        "spec": set(job["spec"]),
        "rayClusterSpec": set(cluster),
        "autoscalerOptions": set(cluster["autoscalerOptions"]),
        "headGroupSpec": set(cluster["headGroupSpec"]),
        "workerGroupSpecs": set().union(*cluster["workerGroupSpecs"]),
    }

    assert (job["apiVersion"], job["kind"], set(job)) == (
        "ray.io/v1",
        "RayJob",
        {"apiVersion", "kind", "metadata", "spec"},
    )
    assert found == RAY_JOB


def test_one_version_of_ray_is_asked_for() -> None:
    versions = re.findall(r"ray\S*?==([\d.]+)", (FOLDER / "Dockerfile").read_text("utf-8"))

    assert versions == [loaded("rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"]]


def test_the_batch_job_is_valid() -> None:
    botocore = pytest.importorskip("botocore")
    validate = pytest.importorskip("botocore.validate")
    service = sorted((Path(botocore.__file__).parent / "data" / "batch").glob("*/service-2.json.gz"))[-1]
    model = pytest.importorskip("botocore.model").ServiceModel(json.loads(gzip.decompress(service.read_bytes())))
    request = model.operation_model("RegisterJobDefinition").input_shape

    report = validate.ParamValidator().validate(json.loads((FOLDER / "aws-batch.json").read_text("utf-8")), request)
    assert report.generate_report() == ""


@pytest.mark.parametrize("name", ["labeler.sbatch", "finished.sh"])
def test_the_scripts_are_shell(name: str) -> None:
    subprocess.run(["bash", "-n", FOLDER / name], check=True)


def test_the_directives_of_the_slurm_script_are_options() -> None:
    lines = (FOLDER / "labeler.sbatch").read_text("utf-8").splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH")]
    found = [re.fullmatch(r"#SBATCH --([a-z-]+)(?:=(\S+))?", line) for line in directives]

    assert {match[1] for match in found if match} == SBATCH
    assert lines.index(directives[-1]) < min(at for at, line in enumerate(lines) if line and not line.startswith("#"))


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (2, 2), (5, 5), (130, 130)])
def test_finished_turns_only_failed_files_into_success(code: int, ends: int) -> None:
    ended = subprocess.run([FOLDER / "finished.sh", "sh", "-c", f"exit {code}"])

    assert ended.returncode == ends


@pytest.mark.parametrize(
    "name", ["kubernetes-job.yaml", "ray-cluster.yaml", "rayjob.yaml", "aws-batch.json", "labeler.sbatch"]
)
def test_every_command_in_a_manifest_can_be_parsed(name: str) -> None:
    content = (FOLDER / name).read_text("utf-8")
    told = [content] if name.endswith((".sbatch", "cluster.yaml")) else texts(yaml.safe_load(content))
    commands = [found for text in told for found in re.findall(r"labeler classify [^|\n]*", text)]

    assert commands
    for command in commands:
        words = shlex.split(command.partition('" --stop')[0])[1:]
        parser = get_command(app)
        with parser.make_context("labeler", list(words)) as context:
            chosen, found, rest = parser.resolve_command(context, words)
            assert chosen
            found.make_context(chosen, rest).close()
