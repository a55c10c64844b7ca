"""The folders of a host of a Processing job, and which host of how many it is.

/opt/ml/config/resourceconfig.json     the names of the hosts, and this one's
/opt/ml/processing/input/job/job.json
                        input/frames/  all frames, or those that this host detects in
                        input/references/   input/corrections/   input/detections/   if any
/opt/ml/processing/output/detections/  uploaded while the job runs: they are kept where it fails
                        output/job/    uploaded at its end: what jobs/<id>/ will hold
/opt/ml/output/message                 why the container failed
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from faceveil.errors import InputError, OutputError
from faceveil.jobs.detections.answers import DetectionFolder, DetectionFolders
from faceveil.jobs.job import Job, read_job
from faceveil.jobs.job_folder import JOB

Step = Literal["detect", "render", "all"]


@dataclass(frozen=True, slots=True)
class Host:
    """One of the hosts of a Processing job. number: from 0. root: /opt/ml in SageMaker."""

    root: Path
    number: int
    count: int

    @classmethod
    def here(cls, root: Path) -> Host:
        """Read which host this is. Raises InputError where SageMaker does not say it."""
        path = root / "config" / "resourceconfig.json"
        try:
            config = orjson.loads(path.read_bytes())
            hosts = sorted(config["hosts"])
            return cls(root, hosts.index(config["current_host"]), len(hosts))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: does not say which host this is ({error!r}): this command runs in a "
                "container that SageMaker Processing has started"
            ) from error

    @property
    def inputs(self) -> Path:
        """What SageMaker has brought."""
        return self.root / "processing" / "input"

    @property
    def frames(self) -> Path:
        """The frames."""
        return self.inputs / "frames"

    @property
    def answers(self) -> Path:
        """Where this host writes detections."""
        return self.root / "processing" / "output" / "detections"

    @property
    def results(self) -> Path:
        """What will be `jobs/<id>/`."""
        return self.root / "processing" / "output" / "job"

    def detections(self) -> DetectionFolders:
        """The detections of this attempt and of those before it."""
        folders = (self.answers, self.inputs / "detections")
        return DetectionFolders(tuple(DetectionFolder(folder) for folder in folders))

    def job(self) -> Job:
        """Read job.json. Raises InputError where it cannot be used."""
        return read_job_file(self.inputs)


def read_job_file(inputs: Path) -> Job:
    """Read the job.json that is mounted under a folder of inputs. Raises InputError."""
    path = inputs / "job" / JOB
    try:
        return read_job(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def write_result(folder: Path, name: str, content: bytes) -> None:
    """Write a file that SageMaker uploads. Raises OutputError."""
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
