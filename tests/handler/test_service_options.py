"""Environment variables: every one is read, and a bad value is refused by its name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.detect.build import AnalyzerOptions
from faceveil.errors import UsageError

pytest.importorskip("sagemaker_inference", reason="needs the extra `serve`: sagemaker-inference")

from handler.options import ServiceOptions
from handler.server_options import ServerOptions, transform_limits
from testkit import PROJECT

SERVICE_VALUES = {
    "FACEVEIL_DETECTOR": "mtcnn",
    "FACEVEIL_RECOGNIZER": "arcface-resnet100",
    "FACEVEIL_MIN_FACE_SIZE": "24.5",
    "FACEVEIL_MTCNN_THRESHOLDS": "0.6, 0.65,0.7",
    "FACEVEIL_CENTERFACE_THRESHOLD": "0.4",
    "FACEVEIL_CENTERFACE_SCALE": "0.5",
    "FACEVEIL_ENGINE": "onnxruntime",
    "FACEVEIL_THREADS": "2",
    "FACEVEIL_ACCEPT_LICENCE": "yes",
    "FACEVEIL_THUMBNAIL": "off",
    "FACEVEIL_FEATURE_DECIMALS": "4",
    "FACEVEIL_MAX_PIXELS": "1000000",
}
BAD_SERVICE_VALUES = {
    "FACEVEIL_MIN_FACE_SIZE": ("small", "nan", "1", "99999"),
    "FACEVEIL_MTCNN_THRESHOLDS": ("0.6", "0.6,0.7,x", "0.6,0.7,1.5", "0.6,0.7,0.1"),
    "FACEVEIL_CENTERFACE_THRESHOLD": ("high", "0.1", "inf"),
    "FACEVEIL_CENTERFACE_SCALE": ("0", "9"),
    "FACEVEIL_ENGINE": ("abacus",),
    "FACEVEIL_THREADS": ("0", "1.5", "-1"),
    "FACEVEIL_ACCEPT_LICENCE": ("maybe",),
    "FACEVEIL_THUMBNAIL": ("2",),
    "FACEVEIL_FEATURE_DECIMALS": ("0", "10", "many"),
    "FACEVEIL_MAX_PIXELS": ("0", "999999999999", "1e6"),
}
BAD_SERVER_VALUES = {
    "SAGEMAKER_BIND_TO_PORT": ("0", "32767", "http"),
    "FACEVEIL_BIND_ADDRESS": ("localhost", "1.2.3", "1.2.3.999", "::1"),
    "SAGEMAKER_MODEL_SERVER_WORKERS": ("0", "-1", "all", "1000"),
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": ("101", "-1", "6.5"),
    "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": ("0", "1m"),
    "SAGEMAKER_STARTUP_TIMEOUT": ("0", "soon"),
    "FACEVEIL_DRAIN_SECONDS": ("0", "x"),
    "FACEVEIL_THREADS": ("0",),
}


def each(values: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, value) for name, several in values.items() for value in several]


def test_every_service_variable_is_read():
    assert ServiceOptions.from_environment(SERVICE_VALUES) == ServiceOptions(
        AnalyzerOptions(
            detector="mtcnn",
            recognizer="arcface-resnet100",
            min_face_size=24.5,
            thresholds=(0.6, 0.65, 0.7),
            centerface_threshold=0.4,
            centerface_scale=0.5,
            engine="onnxruntime",
            threads=2,
            accept_licence=True,
        ),
        thumbnail=False,
        feature_decimals=4,
        max_pixels=1_000_000,
    )


def test_nothing_set_or_set_to_nothing_is_the_library_s_default():
    nothing = ServiceOptions.from_environment({})
    assert nothing.analyzer == AnalyzerOptions()
    assert nothing.thumbnail
    assert ServiceOptions.from_environment(dict.fromkeys(SERVICE_VALUES, "")) == nothing


@pytest.mark.parametrize(("name", "value"), each(BAD_SERVICE_VALUES))
def test_a_bad_service_value_is_refused_by_its_variable_s_name(name, value):
    with pytest.raises(UsageError, match=name):
        ServiceOptions.from_environment({name: value})


@pytest.mark.parametrize(("name", "value"), each(BAD_SERVER_VALUES))
def test_a_bad_server_value_is_refused_by_its_variable_s_name(name, value):
    with pytest.raises(UsageError, match=name):
        ServerOptions.from_environment({name: value})


def test_one_worker_for_so_many_cores_as_it_has_threads(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert ServerOptions.from_environment({}).workers == 8
    assert ServerOptions.from_environment({"FACEVEIL_THREADS": "4"}).workers == 2
    assert ServerOptions.from_environment({"FACEVEIL_THREADS": "16"}).workers == 1
    assert ServerOptions.from_environment({"SAGEMAKER_MODEL_SERVER_WORKERS": "3"}).workers == 3


@given(st.integers(1, 256), st.none() | st.integers(1, 100))
def test_payload_and_concurrency_stay_within_sagemaker_s_limit(workers, payload):
    payload_mb, concurrent = transform_limits(workers, payload)
    assert 1 <= concurrent <= workers
    assert payload_mb >= 1
    assert payload_mb * concurrent <= 100
    if payload is not None:
        assert payload_mb == payload


def test_a_payload_without_limit_is_taken_one_at_a_time():
    options = ServerOptions.from_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"})
    assert (options.payload_mb, options.concurrent_transforms) == (100, 1)


def test_the_table_names_every_variable():
    table = (PROJECT / "handler" / "README.md").read_text()
    code = "".join(path.read_text() for path in (PROJECT / "handler").glob("*.py"))
    names = set(re.findall(r'"(FACEVEIL_[A-Z_]+)"', code)) | set(BAD_SERVER_VALUES)
    assert {name for name in names if f"`{name}`" not in table} == set()
