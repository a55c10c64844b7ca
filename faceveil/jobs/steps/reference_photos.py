"""Reference photos under a job's prefix -> the people they show, each photo analysed once.

What was found in a photo is kept under detections/references/, named after the photo's ETag and
the networks: it is biometric data and expires, or is deleted, with the detections.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePath, PurePosixPath

from faceveil.aws.s3 import Listed
from faceveil.errors import InputError
from faceveil.faces import FrameFaces, Models
from faceveil.identity.references import PHOTO_SUFFIXES, References, describe
from faceveil.jobs.job_run import JobRun
from faceveil.media.pictures import read_picture


def job_references(run: JobRun, models: Models | None) -> References | None:
    """The people of the job's selection; None where it names none by photo.

    models: those of the detections, for which the photos must be looked at by the same
    recogniser. Raises InputError for a person without photos, another recogniser, and photos
    that cannot be used, naming each by its key.
    """
    photos: dict[PurePath, Listed] = {}
    people: dict[str, list[PurePath]] = {}
    for name, prefix in run.job.selection.references:
        keys = _photos(run, prefix)
        if not keys:
            raise InputError(
                f"selection.references.{name}: no photos under {run.bucket.uri(prefix)} "
                f"({', '.join(sorted(PHOTO_SUFFIXES))})"
            )
        photos |= keys
        people[name] = list(keys)
    if not people:
        return None
    look = _Look(run, photos, models)
    return describe(people, look)


def _photos(run: JobRun, prefix: str) -> dict[PurePath, Listed]:
    """The photos under a prefix, by key, in the order of their keys."""
    return {
        PurePosixPath(prefix + item.name): item._replace(name=prefix + item.name)
        for page in run.bucket.folder(prefix).pages(recursive=True)
        for item in page
        if PurePosixPath(item.name).suffix.lower() in PHOTO_SUFFIXES
    }


class _Look:
    """Finds the faces in a photo, or finds what was found before."""

    def __init__(self, run: JobRun, photos: dict[PurePath, Listed], models: Models | None) -> None:
        self._run = run
        self._photos = photos
        self._models = models
        networks = f"{models.digest} {models.recognizer}" if models else ""
        self._networks = hashlib.sha256(networks.encode()).hexdigest()[:16]

    def __call__(self, photo: PurePath) -> FrameFaces:
        listed = self._photos[photo]
        cache = self._run.reference_faces
        etag = hashlib.sha256(listed.etag.encode()).hexdigest()[:32]
        name = f"{self._networks}-{etag}.json"
        if cache.find(name) is not None:
            return FrameFaces.from_json(cache.read(name))
        found = self._analyse(listed)
        cache.write(name, found.to_json())
        return found

    def _analyse(self, listed: Listed) -> FrameFaces:
        analyzer = self._run.analyzer()
        if self._models is not None and analyzer.models.recognizer != self._models.recognizer:
            raise InputError(
                f"the detections were made with the recogniser {self._models.recognizer}, the "
                f"photos would be with {analyzer.models.recognizer}: name the one of the "
                "detections in networks.recognizer"
            )
        content = self._run.bucket.read(listed.name, listed.etag)
        try:
            return analyzer(read_picture(content))
        except InputError as error:
            uri = self._run.bucket.uri(listed.name)
            raise InputError(f"reference photo {uri} cannot be used: {error}") from error
