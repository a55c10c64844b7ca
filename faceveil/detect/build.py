"""An analyzer from options: which networks detect and recognise faces, opened and joined."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from faceveil.detect.added import AddedLooks
from faceveil.detect.also import AlsoDetector, AlsoOptions
from faceveil.detect.analyzer import FaceAnalyzer, Recognizer, digest_of
from faceveil.detect.arcface import ArcFace
from faceveil.detect.centerface import CenterFace
from faceveil.detect.detector import Detector
from faceveil.detect.facenet import FaceNet
from faceveil.detect.family_detectors import detector_of_family
from faceveil.detect.mtcnn import MTCNN, MTCNNNetworks
from faceveil.detect.no_recognizer import NO_RECOGNIZER, NoRecognizer
from faceveil.detect.thorough import RolledCenterFace, ThoroughCenterFace, TurnedCenterFace
from faceveil.detect.union import PyramidDetector, UnionDetector
from faceveil.detect.upright import UprightLook
from faceveil.errors import UsageError
from faceveil.faces import FIRST_ENGINE, LOW_SCORE, Kind

if TYPE_CHECKING:
    from faceveil.weights.manifest import Network
    from faceveil.weights.session import Session
    from faceveil.weights.store import Located

UNION, REKOGNITION = "union", "rekognition"
ALONE_THRESHOLDS, ALONE_CENTERFACE = (0.6, 0.7, 0.7), 0.5
UNION_THRESHOLDS, UNION_CENTERFACE = (0.7, 0.8, 0.9), 0.35
"""On real clips nearly all that only MTCNN detects below 0.9 are hands, cloth and letters, and what
CenterFace detects from 0.35 on are heads; a face both detect is accepted at a lower score (see
UnionDetector)."""
FAST, DEFAULT, HIGH_RECALL = PROFILES = ("fast", "default", "high-recall")
UNION_TIMES_SMALLEST = 2.0
"""Smaller faces are left to CenterFace, which detects them better: MTCNN costs less than half."""
_RESULTS_VERSION = 5
"""To be raised when a change of code changes the results of the same networks and settings."""


@dataclass(frozen=True, slots=True)
class AnalyzerOptions:
    """Which networks detect and recognise faces, and how.

    Attributes
    ----------
    detector : str
        "union" (of MTCNN and CenterFace), the name of a detector, "rekognition" (Amazon's service)
        or the path of a user's own file or folder.
    recognizer : str
        A name, a path or "none".
    profile : {"fast", "default", "high-recall"}
        How thorough the union is. "fast" runs each network once. "default" examines doubtful places
        again, enlarged, mirrored and rotated, and the whole picture turned upright where faces in
        it lie on their side or upside down. "high-recall" also examines every picture mirrored and
        rotated, and the smallest faces with MTCNN, at three times the cost
        (benchmarks/reports/quality.md has the results of each).
    min_face_size : float, optional
        Pixels of the picture; by default 1/27 of its shorter side, between 20 and 40.
    thresholds : (float, float, float), optional
        Of the three networks of MTCNN; by default its own, or `UNION_THRESHOLDS` in the union.
    centerface_threshold : float, optional
        By default CenterFace's own, or `UNION_CENTERFACE` in the union.
    centerface_scale : float, optional
        Size of the picture that CenterFace processes, 1 being full size; by default it follows
        min_face_size.
    engine : str
        What the networks run on (`faceveil weights engines` lists what this machine has); "auto" is
        the environment's FACEVEIL_ENGINE, or where that is not set the fastest engine that does as
        well, which is measured once and remembered.
    threads : int
        Threads that one call of a network may use.
    accept_licence : bool
        Whether networks whose licence forbids commercial use are accepted.
    also : tuple of AlsoOptions
        Networks that detect objects of other kinds beside the faces.
    everyone_veiled : bool
        Whether no one can become visible by what these networks find, now or later: "auto" may then
        be an engine that detects as well and tells people apart worse.

    Raises
    ------
    UsageError
        For values out of range.
    """

    detector: str = UNION
    recognizer: str = "arcface-mobilefacenet"
    profile: str = DEFAULT
    min_face_size: float | None = None
    thresholds: tuple[float, float, float] | None = None
    centerface_threshold: float | None = None
    centerface_scale: float | None = None
    engine: str = "auto"
    threads: int = 1
    accept_licence: bool = False
    also: tuple[AlsoOptions, ...] = ()
    everyone_veiled: bool = False

    def __post_init__(self) -> None:
        if self.min_face_size is not None and not 8 <= self.min_face_size <= 10_000:
            raise UsageError(f"min_face_size {self.min_face_size} is not within 8 to 10000 pixels")
        if self.profile not in PROFILES:
            raise UsageError(f"profile {self.profile!r} does not exist; use {', '.join(PROFILES)}")
        if self.profile != DEFAULT and self.detector != UNION:
            raise UsageError(f"profile {self.profile!r} needs the detector {UNION!r}")
        stages = self.mtcnn_thresholds
        if len(stages) != 3 or not all(0 < value < 1 for value in stages):
            raise UsageError(f"thresholds {stages} are not three numbers within 0 and 1")
        for accept in (stages[2], self.centerface_accept):
            if not LOW_SCORE < accept < 1:
                raise UsageError(f"accept threshold {accept} is not within {LOW_SCORE} and 1")
        if self.centerface_scale is not None and not 0 < self.centerface_scale <= 4:
            raise UsageError(f"centerface_scale {self.centerface_scale} is not within 0 and 4")
        if self.threads < 1:
            raise UsageError(f"threads {self.threads} is less than 1")

    def to_dict(self) -> dict[str, Any]:
        """Return the options for the parameters of an analysis; the last two only where set."""
        values = asdict(self)
        for name in ("also", "everyone_veiled"):
            if not values[name]:
                del values[name]
        return values

    def detecting_once(self) -> AnalyzerOptions:
        """The same networks without the second detection that the default profile makes."""
        repeats = self.detector == UNION and self.profile == DEFAULT
        return replace(self, profile=FAST) if repeats else self

    @property
    def mtcnn_thresholds(self) -> tuple[float, float, float]:
        """The thresholds given, or the defaults of MTCNN alone or in the union."""
        default = UNION_THRESHOLDS if self.detector == UNION else ALONE_THRESHOLDS
        return default if self.thresholds is None else self.thresholds

    @property
    def centerface_accept(self) -> float:
        """The threshold given, or the default of CenterFace alone or in the union."""
        default = UNION_CENTERFACE if self.detector == UNION else ALONE_CENTERFACE
        return default if self.centerface_threshold is None else self.centerface_threshold


def build_analyzer(
    options: AnalyzerOptions = AnalyzerOptions(), concurrent: int | None = None
) -> FaceAnalyzer:
    """Return an analyzer; its networks are fetched where they are not cached.

    Parameters
    ----------
    options : AnalyzerOptions
    concurrent : int, optional
        How many threads will call it at the same time; by default as many as keep all cores busy.

    Raises
    ------
    UsageError
        For an unknown network, or an engine that this machine lacks.
    WeightsError
        Where weights are unavailable.
    LicenceError
        Where a licence must be accepted first.
    """
    from faceveil.weights.session import Runtime, open_networks
    from faceveil.weights.store import locate

    several = {UNION: ("mtcnn", "centerface"), REKOGNITION: ()}
    names = several.get(options.detector, (options.detector,))
    detectors = [locate(name, "detector", options.accept_licence) for name in names]
    names = () if options.recognizer == NO_RECOGNIZER else (options.recognizer,)
    recognizers = [locate(name, "recognizer", options.accept_licence) for name in names]
    settings: list[object] = [
        options.profile,
        options.min_face_size,
        options.mtcnn_thresholds,
        options.centerface_accept,
        options.centerface_scale,
    ]
    also = [(locate(one.network, "detector", options.accept_licence), one) for one in options.also]
    weights = [part.digest for part in (*detectors, *recognizers)]
    if also:
        settings.append([[part.digest, one.kind, one.accept] for part, one in also])
    located = [*detectors, *recognizers, *(part for part, _ in also)]
    runtime = Runtime(options.engine, options.threads, concurrent, options.everyone_veiled)
    opened = [_Opened(*pair) for pair in zip(located, open_networks(located, runtime), strict=True)]
    others = opened[len(detectors) + len(recognizers) :]
    engines = [one.engine for one in opened]
    return FaceAnalyzer(
        _detector_of(opened[: len(detectors)], options),
        _recognizer(opened[len(detectors)]) if recognizers else NoRecognizer(),
        digest_of([_RESULTS_VERSION, weights, settings, engines]),
        [_also_detector(part, one, options) for part, (_, one) in zip(others, also, strict=True)],
        _described(opened),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A network and its sessions by the name of the file; none where it needs no engine."""

    located: Located
    sessions: dict[str, Session]

    @property
    def network(self) -> Network:
        return self.located.network

    @property
    def engine(self) -> str:
        """The engine of its sessions."""
        return next((session.engine for session in self.sessions.values()), "")


def _described(opened: list[_Opened]) -> str:
    """The engine, or each network with its own where there are several."""
    engines = {one.network.name: one.engine for one in opened if one.engine}
    if len(set(engines.values())) > 1:
        return ", ".join(f"{name} {engine}" for name, engine in engines.items())
    return next(iter(engines.values()), FIRST_ENGINE)


def _also_detector(opened: _Opened, one: AlsoOptions, options: AnalyzerOptions) -> AlsoDetector:
    network, kind = opened.network, Kind.of(one.kind)
    if one.accept is not None:
        network = replace(network, thresholds={**network.thresholds, "accept": one.accept})
    session = opened.sessions["model"]
    return AlsoDetector(detector_of_family(network, session, options.min_face_size, one.kind), kind)


def _detector_of(opened: list[_Opened], options: AnalyzerOptions) -> Detector:
    if options.detector == REKOGNITION:
        try:
            from faceveil.detect.rekognition import RekognitionDetector
        except ModuleNotFoundError as error:
            raise UsageError("Rekognition needs boto3: pip install 'faceveil[aws]'") from error
        return RekognitionDetector()
    detectors = [_detector(part, options) for part in opened]
    if options.detector != UNION:
        return detectors[0]
    union = UnionDetector(detectors)
    if options.profile == FAST:
        return union
    mtcnn, centerface = opened
    upright = UprightLook(union, RolledCenterFace(_centerface(centerface, options)))
    if options.profile == DEFAULT:
        return upright
    return AddedLooks(
        upright,
        [
            TurnedCenterFace(_centerface(centerface, options)),
            _mtcnn(mtcnn, options, below_times_smallest=UNION_TIMES_SMALLEST),
        ],
    )


def _detector(opened: _Opened, options: AnalyzerOptions) -> PyramidDetector:
    network, sessions = opened.network, opened.sessions
    if network.architecture == "dlib-hog":
        from faceveil.detect.dlib_hog import DlibHOG

        return DlibHOG(opened.located.files["landmarks"], options.min_face_size)
    if network.architecture == "mtcnn":
        alone = options.detector != UNION
        return _mtcnn(opened, options, times_smallest=1.0 if alone else UNION_TIMES_SMALLEST)
    if network.architecture == "centerface":
        detector = _centerface(opened, options)
        if options.detector != UNION or options.profile == FAST:
            return detector
        return ThoroughCenterFace(detector)
    return detector_of_family(network, sessions["model"], options.min_face_size)


def _mtcnn(opened: _Opened, options: AnalyzerOptions, **sizes: float) -> MTCNN:
    pnet, rnet, onet = (opened.sessions[name] for name in ("pnet", "rnet", "onet"))
    networks = MTCNNNetworks(pnet, rnet, onet, opened.network.colour_order)
    return MTCNN(networks, options.min_face_size, options.mtcnn_thresholds, **sizes)


def _centerface(opened: _Opened, options: AnalyzerOptions) -> CenterFace:
    return CenterFace(
        opened.sessions["model"],
        options.min_face_size,
        options.centerface_accept,
        options.centerface_scale,
    )


def _recognizer(opened: _Opened) -> Recognizer:
    network = opened.network
    if network.architecture == "dlib-resnet":
        from faceveil.detect.dlib_resnet import DlibResNet

        return DlibResNet(opened.located.files["model"], network.feature_centre)
    session = opened.sessions["model"]
    if network.architecture == "facenet":
        return FaceNet(network.name, session, network.feature_size or 0, network.batch_size)
    return ArcFace(
        network.name,
        session,
        mean=network.mean,
        scale=network.scale,
        colour_order=network.colour_order,
        batch_size=network.batch_size,
    )
