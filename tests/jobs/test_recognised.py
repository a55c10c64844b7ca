"""Who is veiled is recognised in the output, or the report says it was not checked ("verify").

Real: S3 (SeaweedFS) and all steps. The network that looks at the output is made up: it sees Ann.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from faceveil.errors import VerificationError
from faceveil.faces import FrameFaces
from faceveil.jobs import state_machine
from faceveil.jobs.steps.analyse import analyse_job
from testkit.made_job import HEIGHT, MODELS, WIDTH, faces_at


class AnnSeen:
    """Finds Ann where she was in frame 0, in each whole picture."""

    models = MODELS

    def __call__(self, image):
        if image.shape[:2] != (HEIGHT, WIDTH):  # a second look at a cutting
            return FrameFaces(image.shape[1], image.shape[0], self.models)
        return faces_at(0).select(np.array([True]))


class OtherNetwork(AnnSeen):
    models = replace(MODELS, recognizer="another")


def verification(made):
    return json.loads(made.place.read("report.json"))["verification"]


def test_a_person_who_can_still_be_recognised_fails_the_job(made):
    made.upload()
    with pytest.raises(VerificationError, match="a veiled person recognised"):
        state_machine.run_whole_job(made.run(analyzer=AnnSeen))
    assert verification(made)["recognised"]
    assert {violation["kind"] for violation in verification(made)["violations"]} == {"recognised"}
    assert "_SUCCESS" not in made.results()


def test_a_person_who_is_not_veiled_may_be_recognised(made):
    made.upload(selection={"mode": "keep", "points": [{"frame": 5, "x": 31, "y": 40}]})
    assert state_machine.run_whole_job(made.run(analyzer=AnnSeen)) == "completed"
    assert verification(made)["recognised"]


@pytest.mark.parametrize("why", ["expired", "another network"])
def test_without_features_nobody_is_recognised_and_the_report_says_so(made, why):
    made.upload()
    analyse_job(made.run())
    if why == "expired":
        made.detections.delete(list(made.detected()))
    analyzer = AnnSeen if why == "expired" else OtherNetwork
    assert state_machine.run_whole_job(made.run(analyzer=analyzer)) == "completed"
    assert not verification(made)["recognised"]


def test_templates_are_kept_with_the_detections_and_nowhere_else_and_go_with_them(made):
    made.upload()
    analyse_job(made.run())
    assert [name for name in made.detected() if name.startswith("people-")]
    assert not [name for name in made.objects() if "people-" in name]
    made.submit(retention={"delete_features": True})
    state_machine.run_whole_job(made.run())
    assert made.detected() == {}


def test_a_job_that_is_not_verified_keeps_no_templates(made):
    made.upload(verification="off")
    state_machine.run_whole_job(made.run())
    assert not [name for name in made.detected() if name.startswith("people-")]
