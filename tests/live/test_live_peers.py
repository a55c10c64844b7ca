"""Streams to and from real programs over loopback: sockets, an RTMP server, HLS, files."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from faceveil.errors import InputError, OutputError, UsageError
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import Format, SinkOptions, open_sink
from faceveil.live.sources import LiveSource, SourceOptions, shown
from testkit.live_streams import LONGEST, Kept, endless, running_to, until
from testkit.marked_faces import bare_pixels, marked_analyzer, pictures, send_marked, write_marked
from testkit.servers.processes import free_ports, running
from testkit.servers.rtsp_server import rtsp_server

pytestmark = pytest.mark.slow
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
QUICK = {"analyzeduration": "1000000"}
RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


def received(url, options, queue, count):
    """What a peer shows: for each frame how many pixels of faces are bare, and its brightness."""
    while count > 0:
        # A peer that joins between two keyframes may have to try again.
        with suppress(av.error.FFmpegError), av.open(url, options=options) as peer:
            for frame in peer.decode(video=0):
                image = frame.to_ndarray(format="rgb24")
                queue.put((bare_pixels(image), int(image.max())))
                count -= 1
                if count == 0:
                    return


@contextmanager
def peer(url, options, count=50):
    """A receiver in a process of its own, and a function that returns what it has seen."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=received, args=(url, options, queue, count), daemon=True)
    process.start()
    try:
        yield lambda: queue.get(timeout=LONGEST)
    finally:
        process.kill()
        process.join()


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    """A context that runs nginx with its RTMP module on a port; skips where there is none."""
    if not (Path(NGINX).exists() and RTMP_MODULE.exists()):
        pytest.skip("needs nginx and libnginx-mod-rtmp (apt)")
    folder = tmp_path_factory.mktemp("nginx")

    @contextmanager
    def serve(port):
        config = folder / "nginx.conf"
        config.write_text(
            f"load_module {RTMP_MODULE}; daemon off; pid {folder}/pid; error_log {folder}/log;\n"
            "worker_processes 1; events {}\n"
            f"rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n"
        )
        with running([NGINX, "-c", str(config), "-p", str(folder)], folder / "out"):
            time.sleep(0.5)
            yield f"rtmp://127.0.0.1:{port}/live/key"

    return serve


def test_an_rtmp_server_receives_veiled_pictures(nginx):
    (port,) = free_ports(1)
    with nginx(port) as url, running_to(open_sink(url), endless(), delay=0.6) as run:
        until(lambda: run.metrics.values()["frames_out"] > 20, "frames")
        with peer(url, QUICK, 30) as seen:
            frames = [seen() for _ in range(30)]
    assert sum(bare for bare, _ in frames) == 0
    assert max(bright for _, bright in frames) > 100


def test_an_rtmp_server_that_goes_and_comes_back(nginx):
    (port,) = free_ports(1)
    with nginx(port) as url:
        run_of = running_to(open_sink(url), endless(), delay=0.6)
        run = run_of.__enter__()
        until(lambda: run.metrics.values()["frames_out"] > 20, "frames")
    try:
        until(lambda: run.metrics.values()["sink_lost"] > 0, "the loss is noticed")
        with nginx(port):
            out = run.metrics.values()["frames_out"]
            until(lambda: run.metrics.values()["frames_out"] > out + 60, "frames again")
            with peer(url, QUICK, 20) as seen:
                frames = [seen() for _ in range(20)]
        assert sum(bare for bare, _ in frames) == 0
    finally:
        run_of.__exit__(None, None, None)


def test_a_source_of_an_rtmp_server_that_goes_and_comes_back(nginx):
    (port,) = free_ports(1)
    sink = Kept()
    context = multiprocessing.get_context("spawn")

    def sender(url):
        process = context.Process(target=send_marked, args=(url, "flv", 2000), daemon=True)
        process.start()
        return process

    with nginx(port) as url:
        first = sender(url)
        time.sleep(8)
        run = LiveRun(LiveSource(url), sink, marked_analyzer, LiveOptions(delay=0.6, workers=1))
        with running_to(sink, None, run=run):
            until(lambda: sink.shown > 5, "pictures")
            first.kill()
            until(lambda: run.metrics.values()["source_lost"] > 0, "the loss is noticed")
            second = sender(url)
            shown_before = sink.shown
            until(lambda: sink.shown > shown_before + 5, "pictures again")
            second.kill()
    assert sink.bare == 0


def test_an_rtsp_server_receives_veiled_pictures():
    (port,) = free_ports(1)
    url = f"rtsp://127.0.0.1:{port}/live"
    with peer(url, {"rtsp_flags": "listen", "listen_timeout": "50"}, 20) as seen:
        time.sleep(8)  # until it listens: it can be asked only once
        with running_to(open_sink(url), endless(), delay=0.6):
            frames = [seen() for _ in range(20)]
    assert sum(bare for bare, _ in frames) == 0


def test_an_ip_camera_that_hangs_up_is_called_again(tmp_path):
    """RTSP as cameras serve it: the server plays two seconds to each client, and hangs up."""
    clip = write_marked(tmp_path / "in.ts", 50)
    sink = Kept()
    with rtsp_server(clip) as url:
        run = LiveRun(LiveSource(url), sink, marked_analyzer, LiveOptions(delay=0.6, workers=1))
        with running_to(sink, None, run=run):
            until(lambda: sink.shown > 5, "pictures")
            until(lambda: run.metrics.values()["source_lost"] > 0, "the loss is noticed")
            before = sink.shown
            until(lambda: sink.shown > before + 5, "pictures again")
    assert sink.bare == 0


@pytest.mark.parametrize(("scheme", "muxer"), [("tcp", "mpegts"), ("rtmp", "flv")])
def test_a_sender_may_connect_here(scheme, muxer):
    """A listening source waits as long as it takes; RTMP senders such as OBS push to it."""
    (port,) = free_ports(1)
    url = f"{scheme}://127.0.0.1:{port}/live/key"
    sink = Kept()
    context = multiprocessing.get_context("spawn")
    sender = context.Process(target=send_marked, args=(url, muxer, 400), daemon=True)
    source = LiveSource(url, SourceOptions(listen=True))
    run = LiveRun(source, sink, marked_analyzer, LiveOptions(delay=0.6, workers=1))
    with running_to(sink, None, run=run):
        time.sleep(1)
        sender.start()
        until(lambda: sink.shown > 5, "pictures")
        sender.kill()
    assert sink.bare == 0


def test_an_hls_folder_can_be_played(tmp_path):
    folder = tmp_path / "hls"
    with running_to(open_sink(f"{folder}/"), endless(), delay=0.6) as run:
        until(lambda: run.metrics.values()["frames_out"] > 130, "frames of some segments")
    with av.open(str(folder / "index.m3u8")) as played:
        images = [frame.to_ndarray(format="rgb24") for frame in played.decode(video=0)]
    assert len(images) > 50
    assert sum(map(bare_pixels, images)) == 0


def test_sound_and_picture_stay_in_step(tmp_path):
    """Both leave with the delay, and the file holds them at the times they had."""
    source = write_marked(tmp_path / "in.mp4", 100, sound=True)
    output = tmp_path / "out.mkv"
    LiveRun(
        LiveSource(str(source)),
        open_sink(str(output)),
        marked_analyzer,
        LiveOptions(workers=1),
        paced=False,
    ).run()
    with av.open(str(output)) as made:
        video, audio = made.streams.video[0], made.streams.audio[0]
        ends = {"video": 0.0, "audio": 0.0}
        for packet in made.demux(video, audio):
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                ends[packet.stream.type] = max(ends[packet.stream.type], float(end))
    assert ends["video"] == pytest.approx(4.0, abs=0.1)
    assert ends["audio"] == pytest.approx(4.0, abs=0.15)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_survives_a_crash(tmp_path, suffix):
    """The program is killed in the middle: what was written until then can be played."""
    output = tmp_path / f"out.{suffix}"
    program = (
        "import sys; from pathlib import Path; from testkit.live_streams import *\n"
        "from faceveil.live.sinks import open_sink\n"
        "if __name__ == '__main__':\n"
        f"    with running_to(open_sink({str(output)!r}), endless(), delay=0.6) as run:\n"
        "        until(lambda: run.metrics.values()['frames_out'] > 110, 'frames')\n"
        "        print('ready', flush=True); time.sleep(60)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stdout.readline().strip() == "ready"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    images = list(pictures(output))
    assert len(images) >= 40
    assert sum(map(bare_pixels, images)) == 0


def test_what_cannot_be_used_is_refused_with_advice(tmp_path):
    (tmp_path / "there.mp4").touch()
    (port,) = free_ports(1)
    with pytest.raises(OutputError, match="exists; name another"):
        open_sink(str(tmp_path / "there.mp4"))
    with pytest.raises(UsageError, match="a slash at its end for HLS"):
        open_sink(str(tmp_path / "out.avi"))
    with pytest.raises(UsageError, match="an address begins with one of"):
        LiveSource("gopher://server/x")
    with pytest.raises(InputError, match="cannot be opened"):
        next(iter(LiveSource(f"rtmp://127.0.0.1:{port}/live/key")))
    with pytest.raises(UsageError, match="cannot read srt"):
        next(iter(LiveSource(f"srt://127.0.0.1:{port}")))
    with pytest.raises(InputError):
        next(iter(LiveSource("7")))


def test_a_virtual_camera_says_what_it_needs():
    item = next(iter(endless()))
    from faceveil.media.layout import layout_of

    with pytest.raises((UsageError, OutputError), match=r"pyvirtualcam|v4l2loopback"):
        open_sink("virtual-camera").open(Format(layout_of(item.frame), 25.0, has_sound=False))


def test_messages_hold_no_stream_key_and_no_password():
    assert shown("rtmp://user:secret@host/app/key") == "rtmp://host/app/…"
    assert shown("rtsp://host/stream?token=1") == "rtsp://host/stream"
    assert open_sink("rtmp://host/app/key", SinkOptions()).name == "rtmp://host/app/…"


def test_memory_is_bounded(tmp_path):
    """A long stream at the pace of the machine: what is held does not grow with it."""
    source = write_marked(tmp_path / "in.mp4", 100)
    held = []

    def tell(_):
        held.append((run.window.waiting, run.window.remembered, len(run.window.columns().looks)))

    sink = Kept()
    sink.picture = lambda frame, seconds: None
    run = LiveRun(
        LiveSource(str(source), SourceOptions(loop=True)),
        sink,
        partial(marked_analyzer),
        LiveOptions(workers=1),
        tell=tell,
        paced=False,
    )
    with running_to(sink, None, run=run):
        until(lambda: run.metrics.values()["frames_out"] > 600, "a long stream")
    assert np.max(held) <= 110  # a delay of one second, and two that are remembered
