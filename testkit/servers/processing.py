"""SageMaker Processing on this machine: the hosts of a CreateProcessingJob request, run as it runs
them.

Each host gets folders for /opt/ml/processing, config and output. S3 is read before and written by
this module: a host has no credentials, and a container no network. Objects that are shared out come
to the hosts in turn, so that no host has a range of frames. Output that is continuous is uploaded
while the hosts run, and what is there when one fails; other output only when all have succeeded.

    detail = LocalProcessing(bucket, folder).run(request)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from faceveil.aws.clients import S3Uri
from faceveil.aws.s3 import S3Location
from testkit import PROJECT
from testkit.servers.local_cloud import arn

MOUNTED = Path("/opt/ml")
PAUSE_SECONDS = 0.1
Command = Callable[[Path, list[str]], list[str]]
_NUMBERS = count()


def as_process(root: Path, arguments: list[str]) -> list[str]:
    """Run the program of the image from this checkout, over folders elsewhere."""
    return [sys.executable, "-m", "postprocess_lambda", *arguments, "--root", str(root)]


def in_image(image: str) -> Command:
    """Run the image as SageMaker does: as its own user, root, without network."""

    def command(root: Path, arguments: list[str]) -> list[str]:
        mounts = [("processing", ""), ("config", ":ro"), ("output", "")]
        volumes = [f"--volume={root / name}:{MOUNTED / name}{mode}" for name, mode in mounts]
        limits = ["--rm", "--network", "none", "--memory", "3g"]
        return ["podman", "run", *limits, *volumes, image, *arguments]

    return command


@dataclass
class LocalProcessing:
    """Runs Processing jobs. command: makes the command of a host of its folder and arguments.

    started: called with the processes of the hosts once they all run. told: output of the hosts.
    """

    bucket: S3Location
    folder: Path
    command: Command = as_process
    started: Callable[[list[subprocess.Popen[str]]], object] = lambda hosts: None
    told: list[str] = field(default_factory=list)

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a job to its end. Returns the detail of its state change."""
        hosts = [f"algo-{number + 1}" for number in range(_cluster(request)["InstanceCount"])]
        job = self.folder / f"{request['ProcessingJobName']}-{next(_NUMBERS)}"
        roots = [self._prepare(request, job / host, hosts, host) for host in hosts]
        arguments = request["AppSpecification"]["ContainerArguments"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        processes = [
            subprocess.Popen(
                self.command(root, arguments),
                cwd=PROJECT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for root in roots
        ]
        self.started(processes)
        failed = self._wait(request, roots, processes)
        self._upload(request, roots, "Continuous")
        if failed is None:
            self._upload(request, roots, "EndOfJob")
        return _detail(request, hosts, roots, failed)

    def _prepare(self, request: dict[str, Any], root: Path, hosts: list[str], host: str) -> Path:
        for item in request["ProcessingInputs"]:
            self._bring(item["S3Input"], root, hosts.index(host), len(hosts))
        for output in request["ProcessingOutputConfig"]["Outputs"]:
            _local(root, output["S3Output"]).mkdir(parents=True)
        (root / "config").mkdir()
        (root / "output").mkdir()
        config = {"current_host": host, "hosts": hosts}
        (root / "config" / "resourceconfig.json").write_text(json.dumps(config))
        told = {"ProcessingJobArn": _arn(request), **request}
        (root / "config" / "processingjobconfig.json").write_text(json.dumps(told))
        return root

    def _bring(self, source: dict[str, Any], root: Path, number: int, host_count: int) -> None:
        """Download what a host is to have of an S3Input; as SageMaker, refuse an empty prefix."""
        uri = S3Uri.parse(source["S3Uri"])
        folder, _, beginning = uri.key.rpartition("/")
        place = self.bucket.folder(folder)
        assert uri.bucket == self.bucket.bucket
        names = [
            item.name
            for page in place.pages(recursive=True)
            for item in page
            if item.name.startswith(beginning)
        ]
        assert names, f"{uri}: no S3 objects found"
        if source["S3DataDistributionType"] == "ShardedByS3Key":
            names = names[number::host_count]
        local = _local(root, source)
        local.mkdir(parents=True)
        for name in names:
            path = local / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(place.read(name))

    def _wait(
        self,
        request: dict[str, Any],
        roots: list[Path],
        processes: list[subprocess.Popen[str]],
    ) -> int | None:
        """Wait for all hosts, or stop them when one fails. Returns the number of that one."""
        logs = [threading.Thread(target=self._listen, args=(host,)) for host in processes]
        for log in logs:
            log.start()
        failed = None
        while any(process.poll() is None for process in processes):
            self._upload(request, roots, "Continuous")
            codes = [process.poll() for process in processes]
            if failed is None and any(codes):
                failed = next(index for index, code in enumerate(codes) if code)
                for process in processes:
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
            time.sleep(PAUSE_SECONDS)
        for log in logs:
            log.join()
        codes = [process.returncode for process in processes]
        return failed if failed is not None else next((i for i, c in enumerate(codes) if c), None)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.told.extend(process.stdout)

    def _upload(self, request: dict[str, Any], roots: list[Path], mode: str) -> None:
        for output in request["ProcessingOutputConfig"]["Outputs"]:
            target = output["S3Output"]
            if target["S3UploadMode"] != mode:
                continue
            place = self.bucket.folder(S3Uri.parse(target["S3Uri"]).key)
            for root in roots:
                local = _local(root, target)
                for path in sorted(local.rglob("*")):
                    name = path.relative_to(local).as_posix()
                    if path.is_file() and not path.name.startswith(".") and not place.find(name):
                        place.write(name, path.read_bytes())


def _local(root: Path, place: dict[str, Any]) -> Path:
    """Where on this machine a LocalPath lies."""
    return root / Path(place["LocalPath"]).relative_to(MOUNTED)


def _cluster(request: dict[str, Any]) -> dict[str, Any]:
    cluster: dict[str, Any] = request["ProcessingResources"]["ClusterConfig"]
    return cluster


def _arn(request: dict[str, Any]) -> str:
    return arn("sagemaker", f"processing-job/{request['ProcessingJobName']}")


def _detail(
    request: dict[str, Any], hosts: list[str], roots: list[Path], failed: int | None
) -> dict[str, Any]:
    """The detail of the state change: the request, and how it has ended."""
    detail = {
        **request,
        "ProcessingJobArn": _arn(request),
        "ProcessingJobStatus": "Completed" if failed is None else "Failed",
        "CreationTime": 1_764_410_000_000,
        "ProcessingEndTime": 1_764_410_060_000,
    }
    if failed is not None:
        detail["FailureReason"] = f"AlgorithmError: {hosts[failed]} has ended with an error"
        message = roots[failed] / "output" / "message"
        detail["ExitMessage"] = message.read_text() if message.exists() else ""
    return detail
