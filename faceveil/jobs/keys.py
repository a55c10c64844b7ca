"""The KMS keys of a deployment: of results, of detections and of the disks of instances."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from faceveil.aws.sagemaker import has_local_storage


@dataclass(frozen=True, slots=True)
class Keys:
    """The ARNs of keys; None leaves it to the bucket, or to SageMaker.

    results: of all that is written but detections. detections: of what lies under `detections/`,
    which holds features. volumes: of the disks of SageMaker's instances.
    """

    results: str | None = None
    detections: str | None = None
    volumes: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Keys:
        """Read FACEVEIL_KMS_KEY, FACEVEIL_DETECTIONS_KMS_KEY (else the first) and
        FACEVEIL_VOLUME_KMS_KEY."""
        results = environment.get("FACEVEIL_KMS_KEY") or None
        return cls(
            results=results,
            detections=environment.get("FACEVEIL_DETECTIONS_KMS_KEY") or results,
            volumes=environment.get("FACEVEIL_VOLUME_KMS_KEY") or None,
        )

    @property
    def tell_detections_apart(self) -> bool:
        """Whether detections have another key than the results."""
        return self.detections not in (None, self.results)

    def volume_parameter(self, instance_type: str) -> dict[str, str]:
        """Return `VolumeKmsKeyId` of a request, nothing for a type whose disks take no key."""
        if self.volumes is None or has_local_storage(instance_type):
            return {}
        return {"VolumeKmsKeyId": self.volumes}
