"""`faceveil live`: veil a stream as it happens."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite, add_progress
from faceveil.cli.finding_arguments import add_networks, add_photos
from faceveil.cli.output_arguments import add_style
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.detect.build import AnalyzerOptions
    from faceveil.identity.select import Selection
    from faceveil.live.choices import Choices
    from faceveil.live.options import LiveOptions
    from faceveil.live.page import Page

Tell = Callable[[dict[str, float]], None]

DESCRIPTION = """\
Veil a stream as it happens: each frame leaves after a short delay, veiled, or it does not leave.

  faceveil live 0 rtmp://server/app/key                 the first camera to a streaming server
  faceveil live rtsp://camera/stream out.mp4            an IP camera, recorded
  faceveil live rtsp://camera/stream out.mp4 --keep photos/anchor/
  faceveil live talk.mp4 hls/ --keep-foreground         a file at its own pace, as an HLS folder
  faceveil live rtmp://0.0.0.0/live/key out.mkv --listen   what OBS sends here
  faceveil live 0 virtual-camera                        for OBS, Zoom and Teams
  faceveil live talk.mp4 --page                         a page on this machine: a click on a face
                                                        keeps or veils its person

Everyone is veiled, unless --keep or --keep-foreground leaves someone visible. Within the delay a
face that is found late is still veiled in the frames before. A frame that is not ready when it is
due is replaced by the last one that was veiled (--on-overload freeze) or by a black one (blank).
While the detector hangs or restarts, the picture is black. The networks run once on each picture
(--profile fast, unless another is named); what gives way on a slow machine is shown every second.

Stop with Ctrl-C or SIGTERM: the output is then completed, and the exit code is 0.
"""


def add_live_parser(commands: Commands) -> None:
    """Add `live` to the commands."""
    parser = add_command(
        commands, "live", "SOURCE [SINK]", "veil a stream as it happens", DESCRIPTION
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a camera (0, camera:NAME), an address (rtsp, rtmp, srt, http(s) for HLS, udp, tcp) "
        "or a file",
    )
    parser.add_argument(
        "sink",
        metavar="SINK",
        nargs="?",
        help="an address (rtmp, rtsp, srt, udp, tcp), a file (.mp4, .mov, .mkv, .ts) that survives "
        "a crash, a folder with a slash at its end (HLS), or virtual-camera; with --page it may be "
        "left out",
    )
    _add_page(parser)
    _add_stream(parser)
    _add_people(parser)
    add_style(parser.add_argument_group("veils"))
    add_networks(parser)
    add_progress(parser)
    parser.set_defaults(func=run_live, profile=None, recognizer=None)


def _add_page(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("page")
    group.add_argument(
        "--page",
        action="store_true",
        help="show the veiled stream on a page of this machine, where a click on a face keeps or "
        "veils its person",
    )
    group.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen on (default: this machine only). Pictures travel unencrypted: "
        "name another one inside a network that you trust only",
    )
    group.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    group.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )


def _add_stream(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("stream")
    group.add_argument(
        "--delay",
        type=float,
        default=1.0,
        metavar="S",
        help="seconds from when a frame comes to when it leaves (1), 0.3 to 10",
    )
    group.add_argument(
        "--on-overload",
        choices=("freeze", "blank"),
        default="freeze",
        help="what takes the place of a frame that is not ready: the last veiled one (default), or "
        "a black one",
    )
    group.add_argument(
        "--listen",
        action="store_true",
        help="wait at the address until a sender connects (RTMP, RTSP, TCP)",
    )
    group.add_argument("--loop", action="store_true", help="begin a file again at its end")
    group.add_argument(
        "--audio", choices=("keep", "drop"), default="keep", help="keep (default) or drop the sound"
    )
    group.add_argument(
        "--bitrate",
        type=parsing.positive,
        metavar="KBIT",
        help="kilobits per second of the pictures; by default their quality decides",
    )
    group.add_argument("--preset", help="x264's: faster encoding or a better picture (superfast)")
    add_overwrite(group)
    group.add_argument(
        "--metrics",
        type=parsing.address,
        metavar="[HOST:]PORT",
        help="answer Prometheus at /metrics on this port of the loopback interface, or of HOST",
    )


def _add_people(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("people", "Everyone is veiled, unless someone is kept.")
    add_photos(group, "keep", "leave {} visible")
    group.add_argument(
        "--keep-foreground",
        action="store_true",
        help="leave those visible who stand in the foreground: large, near the centre, steady and "
        "there for two seconds; a person who is uncertain is veiled",
    )
    group.add_argument(
        "--accept",
        type=float,
        metavar="COSINE",
        help="similarity from which a face matches",
    )
    group.add_argument(
        "--uncertain", type=float, metavar="COSINE", help="similarity from which a face may match"
    )
    group.add_argument(
        "--forget",
        type=float,
        default=600.0,
        metavar="S",
        help="seconds out of sight after which a person is forgotten (600)",
    )


def run_live(options: argparse.Namespace) -> int:
    """`faceveil live`. Returns 0 at the end of a file, and when it is stopped."""
    from faceveil.cli.options import given
    from faceveil.detect.build import build_analyzer
    from faceveil.live.choices import Choices
    from faceveil.live.metrics import Metrics, MetricsServer
    from faceveil.live.page_sink import BothSinks
    from faceveil.live.run import LiveRun
    from faceveil.live.sinks import SinkOptions, open_sink
    from faceveil.live.sources import LiveSource, SourceOptions

    if options.sink is None and not options.page:
        raise UsageError("name where the stream goes, or add --page to look at it here")
    if options.sink is not None:
        _check_apart(options.source, options.sink)
    networks = _networks_of(options)
    hears = options.audio == "keep"
    source = LiveSource(options.source, SourceOptions(options.loop, options.listen, hears))
    encoding = SinkOptions(overwrite=options.overwrite, **given(options, "bitrate", "preset"))
    sink = None if options.sink is None else open_sink(options.sink, encoding)
    selection = _selection_of(options, networks)
    metrics, choices, tell = Metrics(), Choices(), _teller(options)
    with ExitStack() as open_servers, suppress(KeyboardInterrupt):  # the way to end a stream
        show = None
        if options.page:
            page = open_servers.enter_context(closing(_open_page(options, choices)))
            sink = page.sink if sink is None else BothSinks(sink, page.sink)
            tell, show = _telling_both(tell, page.tell), page.show
        if options.metrics:
            open_servers.enter_context(closing(MetricsServer(metrics, *options.metrics)))
        assert sink is not None
        LiveRun(
            source,
            sink,
            partial(build_analyzer, networks),
            _live_options_of(options),
            selection,
            metrics=metrics,
            tell=tell,
            choices=choices,
            show=show,
        ).run()
    if not options.quiet and options.progress != "json":
        print(f"\nfaceveil: {summary(metrics.values())}", file=sys.stderr)
    return 0


def _live_options_of(options: argparse.Namespace) -> LiveOptions:
    from faceveil.cli.options import style_of
    from faceveil.live.options import LiveOptions

    return LiveOptions(
        delay=options.delay,
        on_overload=options.on_overload,
        forget=options.forget,
        keep_foreground=options.keep_foreground,
        workers=options.workers,
        style=style_of(options),
    )


def _open_page(options: argparse.Namespace, choices: Choices) -> Page:
    from faceveil.live.page import Page
    from faceveil.live.sources import shown

    is_file = Path(options.source).is_file()
    name = Path(options.source).name if is_file else shown(options.source)
    page = Page(name, choices, host=options.host, port=options.port)
    print(f"The stream is shown at {page.address}", file=sys.stderr, flush=True)
    if not options.no_browser:
        threading.Thread(target=webbrowser.open, args=(page.address,), daemon=True).start()
    return page


def _check_apart(source: str, sink: str) -> None:
    """Raise UsageError where a file would be written over itself."""
    if Path(source).exists() and Path(source).resolve() == Path(sink).resolve():
        raise UsageError(f"{sink}: is the source; name another file")


def _networks_of(options: argparse.Namespace) -> AnalyzerOptions:
    """The networks; the union runs each of its two once, unless another profile is named."""
    from faceveil.cli.options import analyzer_options_of
    from faceveil.detect.build import DEFAULT, FAST, UNION, AnalyzerOptions
    from faceveil.detect.no_recognizer import NO_RECOGNIZER

    if options.profile is None:
        options.profile = FAST if options.detector == UNION else DEFAULT
    may_be_kept = bool(options.keep or options.keep_foreground or options.page)
    if options.recognizer is None:
        options.recognizer = AnalyzerOptions().recognizer if may_be_kept else NO_RECOGNIZER
    return analyzer_options_of(options)


def _selection_of(options: argparse.Namespace, networks: AnalyzerOptions) -> Selection:
    """Who stays visible; the photos are read here, before the stream is opened."""
    from faceveil.detect.build import build_analyzer
    from faceveil.identity.request import SelectionRequest

    request = SelectionRequest(
        keep=tuple(options.keep), accept=options.accept, uncertain=options.uncertain
    )
    return request.resolve(build_analyzer(networks) if request.photos else None, None)


def _teller(options: argparse.Namespace) -> Tell:
    """What shows the state every second: a line on a terminal, or JSON."""
    if options.quiet or options.progress == "none":
        return lambda values: None
    if options.progress == "json":
        return lambda values: print(json.dumps(dict(values)), file=sys.stderr, flush=True)
    end = "\r" if sys.stderr.isatty() else "\n"
    return lambda values: print(f"{summary(values):<100}", end=end, file=sys.stderr, flush=True)


def _telling_both(one: Tell, other: Tell) -> Tell:
    def tell(values: dict[str, float]) -> None:
        one(values)
        other(values)

    return tell


def summary(values: Mapping[str, float]) -> str:
    """Return the state of a run in one line."""
    state = "BLIND, " if values["blind"] else ""
    return (
        f"{state}{values['frames_per_second']:.1f} frames/s, "
        f"delay {values['delay_seconds']:.2f} s, "
        f"detected in {values['looks']:.0f} of {values['frames_in']:.0f}"
        f" (1 in {values['look_stride']:.0f} at {values['look_scale']:.0%}), "
        f"veiled {values['veiled']:.0f}, kept {values['kept']:.0f}, "
        f"dropped {values['frames_dropped']:.0f}, frozen {values['frames_frozen']:.0f}, "
        f"blanked {values['frames_blanked']:.0f}"
    )
