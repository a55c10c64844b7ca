"""Engines: named or refused with what to do, chosen once by measuring, and remembered safely."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceveil.errors import UsageError, WeightsError
from faceveil.weights import engine_cache, engine_choice, engines
from faceveil.weights.engine_cache import EngineCache
from faceveil.weights.engine_choice import Choice, choose_engine
from faceveil.weights.session import Runtime, open_networks, open_session
from faceveil.weights.store import locate

OTHER = engines.Processor("a processor of 2015", has_bfloat16=False)
EVERYONE = Runtime(everyone_veiled=True)


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path, monkeypatch) -> Path:
    """A folder of this test's own for what is remembered; the environment names no engine."""
    folder = tmp_path / "engines"
    monkeypatch.setenv(engine_cache.ENVIRONMENT_VARIABLE, str(folder))
    monkeypatch.delenv(engines.ENVIRONMENT_VARIABLE)
    return folder


@pytest.fixture(scope="module")
def centerface():
    """With a small input, which is measured fast."""
    located = locate("centerface", "detector")
    shapes = {"model": (1, 3, 64, 96)}
    return replace(located, network=replace(located.network, bfloat16=shapes))


@pytest.fixture
def openvino():
    if engines.OPENVINO not in engines.available_engines():
        pytest.skip("needs the extra `openvino` and a processor that multiplies bfloat16 by itself")


@pytest.fixture
def both_engines(monkeypatch) -> list[str]:
    """As on a machine with OpenVINO and bfloat16; the list notes what is measured."""
    monkeypatch.setattr(
        engine_choice, "available_engines", lambda: [engines.ONNXRUNTIME, engines.OPENVINO]
    )
    measured = []

    def measure(located, runtime):
        measured.append(located.network.name)
        return Choice(engines.OPENVINO, {engines.ONNXRUNTIME: 40.0, engines.OPENVINO: 20.0})

    monkeypatch.setattr(engine_choice, "_measured", measure)
    return measured


def test_an_unknown_engine_lists_those_there_are():
    with pytest.raises(UsageError, match=r"'abacus'.*available: auto, onnxruntime"):
        engines.engine_named("abacus")


def test_the_environment_names_the_engine_where_nothing_else_does(monkeypatch):
    monkeypatch.setenv(engines.ENVIRONMENT_VARIABLE, "abacus")
    with pytest.raises(UsageError, match=r"FACEVEIL_ENGINE: no engine 'abacus'"):
        engines.engine_named(engines.AUTO)
    assert engines.engine_named(engines.ONNXRUNTIME) == engines.ONNXRUNTIME
    monkeypatch.setenv(engines.ENVIRONMENT_VARIABLE, engines.ONNXRUNTIME)
    assert engines.engine_named(engines.AUTO) == engines.ONNXRUNTIME


def test_pictures_of_faces_are_never_sent_to_a_service():
    assert not [name for name in engines.available_engines() if "azure" in name]


def test_bfloat16_is_offered_only_by_a_processor_that_multiplies_it(monkeypatch):
    monkeypatch.setattr(engines, "processor", lambda: OTHER)
    assert engines.OPENVINO not in engines.available_engines()
    with pytest.raises(UsageError, match="does not multiply bfloat16"):
        engines.engine_named(engines.OPENVINO)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(engines, "processor", lambda: replace(OTHER, has_bfloat16=True))
    monkeypatch.setattr(engines, "installed_version", lambda package: None)
    with pytest.raises(UsageError, match=r"pip install 'faceveil\[openvino\]'"):
        engines.engine_named(engines.OPENVINO)


def test_an_engine_without_its_device_is_refused_by_name_and_never_chosen(monkeypatch, centerface):
    """A GPU's onnxruntime on a machine without a GPU would silently run on the processor."""
    gpu = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("faceveil.weights.onnxruntime_engine.providers", lambda: gpu)
    with pytest.raises(UsageError, match="does not start on this machine"):
        open_session(centerface.files["model"], Runtime(engines.CUDA))
    network = replace(centerface, network=replace(centerface.network, bfloat16={}))
    assert choose_engine(network, Runtime()).engine == engines.ONNXRUNTIME


def test_what_was_measured_once_is_not_measured_again(both_engines, centerface):
    first = choose_engine(centerface, EVERYONE)
    assert choose_engine(centerface, EVERYONE) == first
    assert first.engine == engines.OPENVINO
    assert both_engines == ["centerface"]
    choose_engine(centerface, EVERYONE, again=True)
    assert len(both_engines) == 2


def test_another_number_of_threads_or_version_is_measured_anew(
    both_engines, centerface, monkeypatch
):
    choose_engine(centerface, EVERYONE)
    choose_engine(centerface, replace(EVERYONE, threads=2))
    monkeypatch.setattr(engine_choice, "installed_version", lambda package: "99")
    choose_engine(centerface, EVERYONE)
    assert len(both_engines) == 3


@pytest.mark.parametrize("broken", [b"", b"\0" * 40, b"no digest, no answer" * 9])
def test_a_broken_note_is_measured_again(broken, both_engines, centerface, nothing_remembered):
    choose_engine(centerface, EVERYONE)
    (note,) = (path for path in nothing_remembered.iterdir() if "choice" in path.name)
    note.write_bytes(broken)
    assert choose_engine(centerface, EVERYONE).engine == engines.OPENVINO
    assert len(both_engines) == 2


def test_where_nothing_can_be_remembered_the_precision_is_always_the_same(
    both_engines, centerface, monkeypatch
):
    """Otherwise two processes of one job might choose differently."""
    monkeypatch.setattr(engine_choice, "engines_folder", lambda: None)
    assert choose_engine(centerface, EVERYONE) == Choice(engines.ONNXRUNTIME, {})
    monkeypatch.undo()


def test_a_home_that_cannot_be_written_leaves_the_temporary_folder(tmp_path, monkeypatch):
    home = tmp_path / "a file"
    home.touch()
    monkeypatch.setenv(engine_cache.ENVIRONMENT_VARIABLE, str(home / "engines"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = engine_cache.engines_folder()
    assert folder is not None
    assert folder.parent == tmp_path


def test_a_network_that_was_not_measured_to_do_as_well_stays_in_float32(both_engines):
    assert choose_engine(locate("mtcnn", "detector"), EVERYONE).engine == engines.ONNXRUNTIME
    assert both_engines == []


def test_where_someone_may_become_visible_networks_run_in_float32(both_engines, centerface):
    """In bfloat16 another person was left visible beside the one who was kept."""
    assert choose_engine(centerface, Runtime()).engine == engines.ONNXRUNTIME
    assert both_engines == []


@pytest.mark.parametrize(
    ("milliseconds", "agreement", "chosen"),
    [
        ((40, 20), 0.999, engines.OPENVINO),
        ((40, 36), 0.999, engines.ONNXRUNTIME),
        ((40, 20), 0.9, engines.ONNXRUNTIME),
    ],
)
def test_bfloat16_must_be_worth_it_and_agree(
    milliseconds, agreement, chosen, centerface, monkeypatch
):
    names = (engines.ONNXRUNTIME, engines.OPENVINO)
    monkeypatch.setattr(engine_choice, "available_engines", lambda: list(names))
    monkeypatch.setattr(engine_choice, "open_session", lambda path, runtime: None)
    monkeypatch.setattr(
        engine_choice, "_race", lambda *_: dict(zip(names, milliseconds, strict=True))
    )
    monkeypatch.setattr(engine_choice, "_agreement", lambda *_: agreement)
    assert choose_engine(centerface, EVERYONE).engine == chosen


@pytest.mark.slow
def test_processes_that_start_together_choose_the_same(openvino, nothing_remembered):
    code = """
from dataclasses import replace
from faceveil.weights.session import Runtime, open_networks
from faceveil.weights.store import locate
located = locate("centerface", "detector")
network = replace(located.network, bfloat16={"model": (1, 3, 64, 96)})
(sessions,) = open_networks([replace(located, network=network)], Runtime(everyone_veiled=True))
print(sessions["model"].engine)
"""
    environment = {
        **os.environ,
        engine_cache.ENVIRONMENT_VARIABLE: str(nothing_remembered),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(3)
    ]
    answers = {process.communicate()[0] for process in started}
    assert len(answers) == 1
    assert answers <= {"openvino-bf16\n", "onnxruntime\n"}


def test_openvino_answers_as_onnxruntime_does_but_for_its_precision(openvino, centerface):
    picture = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 96)).astype(np.float32)
    path = centerface.files["model"]
    plain, fast = (open_session(path, Runtime(name)) for name in ("onnxruntime", engines.OPENVINO))
    assert list(fast.inputs) == list(plain.inputs)
    assert list(fast.outputs) == list(plain.outputs)
    for wanted in ((), tuple(plain.outputs)[2:0:-1]):
        expected, found = (
            session.run({next(iter(session.inputs)): picture}, wanted) for session in (plain, fast)
        )
        for a, b in zip(expected, found, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, atol=0.05 * np.abs(a).max())


@pytest.mark.parametrize("engine", ["onnxruntime", engines.OPENVINO])
def test_a_batch_answers_as_its_pictures_one_by_one_in_several_threads(engine, request):
    """What frames analysed together or at the same time must not change."""
    if engine == engines.OPENVINO:
        request.getfixturevalue("openvino")
    session = open_session(
        locate("arcface-mobilefacenet", "recognizer").files["model"], Runtime(engine, concurrent=2)
    )
    faces = np.random.default_rng(0).normal(0, 0.5, (6, 3, 112, 112)).astype(np.float32)
    (together,) = session.run({"input": faces})
    with ThreadPoolExecutor(3) as pool:
        alone = list(pool.map(lambda face: session.run({"input": face[None]})[0][0], faces))
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-3)


def test_a_compiled_network_is_kept_and_a_broken_one_is_compiled_again(
    openvino, nothing_remembered, centerface
):
    picture = np.zeros((1, 3, 64, 64), np.float32)
    path, runtime = centerface.files["model"], Runtime(engines.OPENVINO, concurrent=1)

    def opened():
        return open_session(path, runtime).run({"input.1": picture})

    first = opened()
    (kept,) = nothing_remembered.glob("*openvino*")
    content = kept.read_bytes()
    for stored in (content, content[:-9], b"", content[:32] + b"x" + content[33:]):
        kept.write_bytes(stored)
        for expected, found in zip(first, opened(), strict=True):
            np.testing.assert_array_equal(expected, found)
        assert EngineCache(*kept.name.split(".")).read() is not None


def test_openvino_never_reports_to_its_maker(openvino):
    code = """
import json, sys
import faceveil.weights.openvino_engine
print(json.dumps([name for name in sys.modules if "telemetry" in name or "ovc" in name]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(done) == []


def test_a_file_that_is_no_network_is_refused_by_every_engine(tmp_path, openvino):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"net\.onnx: OpenVINO cannot load it"):
        open_session(path, Runtime(engines.OPENVINO))


def test_a_network_that_is_open_is_not_opened_again(centerface):
    """Analysis and verification share the memory of their networks."""
    runtime = Runtime(engines.ONNXRUNTIME)
    ((first,), (again,)) = (open_networks([centerface], runtime) for _ in range(2))
    assert again["model"] is first["model"]
    (other,) = open_networks([centerface], replace(runtime, threads=2))
    assert other["model"] is not first["model"]


def test_each_network_runs_on_its_own_engine(both_engines, openvino, centerface):
    networks = [locate("mtcnn", "detector"), centerface]
    mtcnn, chosen = open_networks(networks, EVERYONE)
    assert {session.engine for session in mtcnn.values()} == {engines.ONNXRUNTIME}
    assert chosen["model"].engine == engines.OPENVINO
