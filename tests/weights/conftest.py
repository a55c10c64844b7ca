"""Fixtures of the weights tests: an empty cache, a server on this machine, tiny networks."""

import hashlib
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Picture

from testkit.portraits import portrait_path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty weights folder that only this test uses."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACEVEIL_WEIGHTS", str(folder))
    return folder


@dataclass
class Server:
    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    delay: float = 0.0


@pytest.fixture
def server():
    """Serves `files` by name on 127.0.0.1 and keeps count of the requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            state.requests.append(name)
            time.sleep(state.delay)
            data = state.files.get(name)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def recognizer_bytes():
    """A recogniser of one convolution with PReLU: [1, 3, 112, 112] -> [1, 4]."""
    rng = np.random.default_rng(7)
    weights = {
        "kernel": rng.standard_normal((4, 3, 112, 112)),
        "slope": np.array([0.1, 0.2, 0.3, -0.4]).reshape(4, 1, 1),
    }
    return _model_bytes(
        [
            helper.make_node("Conv", ["data", "kernel"], ["c"], kernel_shape=[112, 112]),
            helper.make_node("PRelu", ["c", "slope"], ["p"]),
            helper.make_node("Flatten", ["p"], ["fc1"]),
        ],
        {"data": (1, 3, 112, 112)},
        {"fc1": (1, 4)},
        weights,
    )


@pytest.fixture(scope="session")
def portrait():
    """A photo of one face, RGB uint8."""
    return np.asarray(Picture.open(portrait_path("obama")).convert("RGB"))


@pytest.fixture
def model_bytes():
    return _model_bytes


def _model_bytes(nodes, inputs, outputs, weights, opset=11, ir_version=4):
    """An ONNX file of the old kind, which lists its weights among its inputs."""
    tensors = [numpy_helper.from_array(np.asarray(w, np.float32), k) for k, w in weights.items()]
    declared = {**inputs, **{tensor.name: tuple(tensor.dims) for tensor in tensors}}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in declared.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in outputs.items()],
        tensors,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture
def write_manifest(tmp_path):
    """Writes a manifest with one recogniser "tiny" whose source is given."""

    def write(source, path, data, commercial_use=True, size=None):
        text = f"""
        [networks.tiny]
        role = "recognizer"
        architecture = "arcface"
        summary = "for tests"
        licence = "test licence"
        commercial_use = {str(commercial_use).lower()}
        training_data = "random numbers"
        format = "arcface-onnx"
        source = {{ {source} }}
        mean = 0.0
        scale = 1.0
        feature_size = 4
        [[networks.tiny.members]]
        file = "model"
        path = "{path}"
        size = {len(data) if size is None else size}
        sha256 = "{hashlib.sha256(data).hexdigest()}"
        """
        manifest = tmp_path / "manifest.toml"
        manifest.write_text(text)
        return manifest

    return write


@pytest.fixture
def offline_wheels(tmp_path, monkeypatch):
    """Makes pip look only in a folder of wheels; returns the function that adds one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(name, version, files):
        info = f"{name}-{version}.dist-info"
        metadata = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for path, content in {**files, **metadata}.items():
                wheel.writestr(path, content)

    return add
