"""A live run: frames come in, wait for the delay, and leave veiled or not at all."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import av

from faceveil.errors import FaceveilError, InputError
from faceveil.identity.select import Selection
from faceveil.live.choices import Choices
from faceveil.live.delivery import Delivery
from faceveil.live.detector_process import BuildAnalyzer
from faceveil.live.load import LoadControl
from faceveil.live.looks import Looks
from faceveil.live.metrics import Metrics
from faceveil.live.options import LiveOptions
from faceveil.live.pace import Pace
from faceveil.live.plan import Planner, WindowPlan
from faceveil.live.scene import Scene
from faceveil.live.sinks import Format, LiveSink
from faceveil.live.sources import Picture, Sound, Source
from faceveil.live.window import LiveFrame, Window
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.layout import VideoLayout, layout_of
from faceveil.resources import release_freed_memory, usable_cores

PLAN_SECONDS = 0.2
"""One plan holds for the frames of so many seconds."""
GAP_SECONDS = 0.5
"""After so long without a frame others are shown in place, so that viewers stay connected."""
GAP_RATE = 5.0
_TICK_SECONDS = 0.02
_READER_SECONDS = 6.0
"""How long the end waits for the thread that reads: a little longer than a silent source may be.
A thread that is in OpenCV while Python ends would abort the program."""
_MOST_SOUND = 2000
_FRAMES_BETWEEN_RELEASES = 256


class LiveRun:
    """Veils a stream until it ends or is stopped.

    Parameters
    ----------
    source
        Where it comes from.
    sink
        Where it goes.
    build
        Opens the networks, in each detector process.
    options
        How it is veiled.
    selection
        Who stays visible; by default no one.
    metrics
        Counts what happens.
    tell
        Called every second with the values of the metrics.
    paced
        Whether frames leave by the clock. Otherwise each leaves as soon as it is ready, and none is
        replaced: for measuring, and for tests that do not depend on the machine.
    load
        Decides what gives way; by default made for the workers.
    choices
        Who is kept or veiled by a click while it runs.
    show
        Called with the faces of every frame that leaves veiled, its seconds, width and height.
    """

    def __init__(
        self,
        source: Source,
        sink: LiveSink,
        build: BuildAnalyzer,
        options: LiveOptions = LiveOptions(),
        selection: Selection | None = None,
        *,
        metrics: Metrics | None = None,
        tell: Callable[[dict[str, float]], None] = lambda values: None,
        paced: bool = True,
        load: LoadControl | None = None,
        choices: Choices | None = None,
        show: Callable[[Scene, float, int, int], None] | None = None,
    ) -> None:
        workers = options.workers or max(1, usable_cores() - 1)
        self.metrics = metrics or Metrics()
        self.window = Window(options.delay)
        self.looks = Looks(
            self.window, build, load or LoadControl(workers), workers, options.delay, self.metrics
        )
        self._source = source
        self._sink = sink
        self._options = options
        self._tell = tell
        self._paced = paced
        self._planner = Planner(options, selection, choices)
        self._show = show
        self._plan: WindowPlan | None = None
        self._pace = Pace()
        self._sounds: deque[tuple[float, av.AudioFrame]] = deque(maxlen=_MOST_SOUND)
        self._layout: VideoLayout | None = None
        self._delivery: Delivery | None = None
        self._veiled: av.VideoFrame | None = None
        self._shown = 0.0
        self._is_filling = False
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._failed: Exception | None = None
        self._reader = threading.Thread(target=self._read, name="faceveil-source", daemon=True)
        self._second = 0.0
        self._out_before = 0.0

    def stop(self) -> None:
        """Let the run end soon. Safe in any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Veil until the source ends or `stop` is called; the sink is then complete.

        Raises
        ------
        InputError, OutputError, UsageError, WeightsError
            Where the source, the sink or the networks cannot be used. What was written stays.
        """
        self.looks.start()
        self._reader.start()
        try:
            while not self._stopping.is_set() and self._step():
                self._report(time.monotonic())
        finally:
            self._close()

    def _close(self) -> None:
        self._stopping.set()
        self._source.close()
        try:
            self.looks.stop()
            if self._delivery is not None:
                self._delivery.finish()
        finally:
            self._reader.join(_READER_SECONDS)

    def _step(self) -> bool:
        """One turn: what is due leaves. False once the source has ended and all has left."""
        if self._failed is not None:
            raise self._failed
        if self._delivery is not None and self._delivery.error is not None:
            raise self._delivery.error
        now = time.monotonic()
        frame = self.window.front()
        if frame is None:
            if self._ended.is_set() and self.window.front() is None:
                if self._failed is not None:
                    raise self._failed
                self._play(float("inf"))
                return False
            self._fill(now)
            self._play(now - self._options.delay)
            self._stopping.wait(_TICK_SECONDS)
            return True
        if self._delivery is None:
            self._open_sink()
        if not self._may_leave(frame, now):
            self._play(now - self._options.delay)
            self._stopping.wait(min(max(frame.due - now, 1e-3), _TICK_SECONDS))
            return True
        self._play(frame.seconds)
        self._leave(frame, now)
        return True

    def _may_leave(self, frame: LiveFrame, now: float) -> bool:
        if self._paced:
            return frame.due <= now
        if self._ended.is_set():
            return self.window.last_look() == self.window.count - 1
        behind = self.window.count - 1 - self.window.last_look()
        return self.window.waiting >= self._most_waiting() and behind < self.looks.load.stride

    def _leave(self, frame: LiveFrame, now: float) -> None:
        """Show a frame that is due: veiled where it is ready, else something safe."""
        late = now - frame.due
        with frame.lock:
            frame.has_left = True
        if self._paced and self.looks.load.is_late(late):
            self.metrics.count("frames_dropped")
        else:
            plan = self._plan_for(frame)
            if plan.is_ready(frame.number):
                self._show_veiled(frame, plan)
            else:
                self._show_replacement(frame.seconds, now)
            self.metrics.set(delay_seconds=time.monotonic() - frame.arrived, late_seconds=late)
        self.window.pop()
        if frame.number % _FRAMES_BETWEEN_RELEASES == 0:
            release_freed_memory()

    def _show_veiled(self, frame: LiveFrame, plan: WindowPlan) -> None:
        self._is_filling = False
        veiled, kept, whole = plan.veil(frame)
        self._veiled = frame.picture.stored()
        self._put(self._veiled, frame.seconds)
        if self._show is not None:
            size = frame.picture.width, frame.picture.height
            self._show(plan.scene(frame.number), self._shown, *size)
        self.metrics.set(veiled=veiled, kept=kept)
        self.metrics.count("frames_whole", int(whole))

    def _show_replacement(self, seconds: float, now: float) -> None:
        """Show the last veiled frame again, or a blank one; blank while no detector works."""
        assert self._layout is not None
        blind = self.looks.is_blind(now)
        if self._veiled is None or blind or self._options.on_overload == "blank":
            self.metrics.count("frames_blanked")
            self._put(self._layout.black(), seconds)
        else:
            self.metrics.count("frames_frozen")
            self._put(self._veiled, seconds)

    def _put(self, picture: av.VideoFrame, seconds: float) -> None:
        assert self._delivery is not None
        self._shown = max(seconds, self._shown + 1e-3)
        if self._delivery.put(picture, self._shown):
            self.metrics.count("frames_out")
        else:
            self.metrics.count("frames_dropped")

    def _plan_for(self, frame: LiveFrame) -> WindowPlan:
        """The plan for a frame: the last one while it holds, or is still all that is known."""
        plan, last_look = self._plan, self.window.last_look()
        if (
            plan is not None
            and frame.number < plan.stop
            and (plan.is_ready(frame.number) or plan.last_look == last_look)
        ):
            return plan
        start = time.monotonic()
        columns = self.window.columns()
        stop = frame.number + max(1, round(PLAN_SECONDS * columns.rate))
        self._plan = self._planner.plan(columns, stop, frame.seconds)
        self.metrics.set(plan_seconds=time.monotonic() - start, people=self._plan.people)
        return self._plan

    def _fill(self, now: float) -> None:
        """Show something safe while no frame comes."""
        seconds = now - self._options.delay
        if not self._paced or self._delivery is None or self._ended.is_set():
            return
        if seconds - self._shown >= (1 / GAP_RATE if self._is_filling else GAP_SECONDS):
            self._is_filling = True
            self._show_replacement(seconds, now)

    def _play(self, until: float) -> None:
        """Hand over the sound that is heard up to some second."""
        while self._sounds and self._sounds[0][0] <= until:
            seconds, frame = self._sounds.popleft()
            if self._delivery is not None:
                self._delivery.put(frame, seconds)

    def _open_sink(self) -> None:
        assert self._layout is not None
        format = Format(
            self._layout, self._source.rate or self.window.rate(), self._source.has_sound
        )
        self._delivery = Delivery(self._sink, format, self.metrics, patient=not self._paced)

    def _read(self) -> None:
        """Take what the source gives; the work of a thread."""
        self._source.lost = self._source_lost
        try:
            for item in self._source:
                if self._stopping.is_set():
                    return
                if isinstance(item, Picture):
                    self._take_picture(item)
                else:
                    self._take_sound(item)
        except FaceveilError as error:
            self._failed = error
        except Exception as error:
            self._failed = InputError(f"{self._source.name}: cannot be read on ({error})")
        finally:
            self.window.end()
            self._ended.set()

    def _source_lost(self) -> None:
        self.metrics.count("source_lost")
        self._pace.restart()

    def _take_picture(self, item: Picture) -> None:
        now = time.monotonic() if self._paced else self._pace.last + 1e-3
        seconds, jumped = self._pace.shown(item.stamp, now)
        if self._paced and seconds > now:
            self._stopping.wait(seconds - now)
        while not self._paced and self.window.waiting > self._most_waiting():
            if self._stopping.wait(1e-3):
                return
        frame = item.frame
        if self._layout is None:
            self._layout = layout_of(frame)
        if (frame.width, frame.height) != (self._layout.width, self._layout.height):
            frame = self._layout.fit(frame)
        self.metrics.count("frames_in")
        picture = DecodedFrame(0, frame, self._layout)
        if not self.window.push(picture, seconds, time.monotonic(), item.apart or jumped):
            self.metrics.count("frames_dropped")

    def _take_sound(self, item: Sound) -> None:
        now = time.monotonic() if self._paced else self._pace.last
        self._sounds.append((self._pace.heard(item.stamp, now), item.frame))

    def _most_waiting(self) -> int:
        """Where frames do not leave by the clock: how many wait for later ones."""
        return max(2, round(self._options.delay * (self._source.rate or 25)))

    def _report(self, now: float) -> None:
        if now - self._second < 1:
            return
        values = self.metrics.values()
        rate = (values["frames_out"] - self._out_before) / max(now - self._second, 1e-3)
        load = self.looks.load
        self.metrics.set(
            frames_per_second=0.0 if self._second == 0 else rate,
            waiting=self.window.waiting,
            look_stride=load.stride,
            look_scale=load.scale,
            look_seconds=load.look_seconds,
            blind=float(self.looks.is_blind(now)),
        )
        self._second, self._out_before = now, values["frames_out"]
        self._tell(self.metrics.values())
