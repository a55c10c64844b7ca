"""Synthetic clips in which the true box, identity and visibility of every face is known.

People cut out of public-domain portraits move over drawn backgrounds: with cuts, one person
passing in front of another, faces leaving and entering the frame, growing and shrinking, and the
same person in several shots in another photo, size and light. The same arguments give the same
frames. Everything scales with the frame: at 640x360 faces are about 40 to 160 pixels high.

    clip = make_clip(640, 360, frame_count=250, seed=0)
    write_video(clip, "clip.mp4")          # or write_frames(clip, "frames/")
    clip.truth                             # truth.Truth
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
from av import AudioFrame, Packet, VideoFrame, VideoStream
from av.stream import Stream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image as Picture

from faceveil.faces import Image
from testkit.portraits import Cutout, cutout
from testkit.truth import ELLIPSE, GRID, Truth, grid_points

RATE = 25
AUDIO_RATE = 48000
AUDIO_BLOCK = 1024
VideoPacket: TypeAlias = "Packet[VideoStream]"


@dataclass(frozen=True)
class Actor:
    """A portrait and the path of its face.

    `path` is rows of (time, x, y, size): time 0 to 1 over the shot, x and y the centre of the face
    as a share of the frame's width and height (outside 0 to 1 is out of the frame), size the
    height of the face box as a share of the frame's height. `light` multiplies the brightness.
    """

    portrait: str
    path: tuple[tuple[float, float, float, float], ...]
    light: float = 1.0


@dataclass(frozen=True)
class Scene:
    """One shot: its share of the clip, two background colours (RGB), its actors back to front."""

    share: float
    colours: tuple[tuple[int, int, int], tuple[int, int, int]]
    actors: tuple[Actor, ...]


PASSING = Scene(
    share=0.26,
    colours=((150, 130, 105), (60, 75, 90)),
    actors=(
        Actor("obama", ((0, 0.34, 0.36, 0.26), (0.6, 0.40, 0.37, 0.28), (1, 0.43, 0.36, 0.28))),
        Actor("biden", ((0, 0.92, 0.44, 0.34), (1, -0.15, 0.42, 0.36))),
    ),
)
"""One person walks past in front of another and leaves the frame."""

APPROACH = Scene(
    share=0.22,
    colours=((40, 70, 60), (110, 140, 95)),
    actors=(
        Actor("astronaut", ((0, 0.26, 0.62, 0.12), (1, 0.30, 0.42, 0.38))),
        Actor("obama2", ((0, 0.76, 0.56, 0.40), (1, 0.72, 0.55, 0.42)), light=0.85),
    ),
)
"""One person comes nearer; another is seen in another photo, larger and darker."""

LEAVE_AND_RETURN = Scene(
    share=0.26,
    colours=((175, 170, 180), (95, 60, 70)),
    actors=(
        Actor("biden", ((0, 0.70, 0.52, 0.13), (1, 0.62, 0.52, 0.15)), light=0.75),
        Actor(
            "obama",
            (
                (0, 0.30, 0.40, 0.36),
                (0.4, -0.2, 0.42, 0.36),
                (0.6, -0.2, 0.42, 0.36),
                (1, 0.28, 0.44, 0.40),
            ),
        ),
    ),
)
"""One person leaves the frame and comes back; another is small and dark behind."""

EVERYONE = Scene(
    share=0.26,
    colours=((70, 80, 120), (165, 150, 135)),
    actors=(
        Actor("astronaut", ((0, 1.15, 0.48, 0.30), (0.5, 0.84, 0.50, 0.30), (1, 0.82, 0.48, 0.28))),
        Actor("biden", ((0, 0.54, 0.40, 0.20), (1, 0.56, 0.44, 0.32)), light=1.1),
        Actor("obama2", ((0, 0.18, 0.58, 0.36), (1, 0.22, 0.58, 0.44)), light=1.15),
    ),
)
"""Three people, one of them entering."""

STANDARD = (PASSING, APPROACH, LEAVE_AND_RETURN, EVERYONE)


@dataclass(frozen=True, eq=False)
class _Placed:
    """An actor in one shot: factor and offset float64 [frames], [frames, 2] from photo to frame."""

    cutout: Cutout
    light: float
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """float64 [frames, 4]: the true face boxes."""
        return np.tile(self.offset, 2) + self.factor[:, None] * self.cutout.face

    def hides(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points float64 [frames, ..., 2] of the frames this person covers."""
        shape = (-1,) + (1,) * (points.ndim - 2)
        source = (points - self.offset.reshape(*shape, 2)) / self.factor.reshape(*shape, 1)
        alpha = self.cutout.levels[0][..., 3]
        x, y = np.moveaxis(np.floor(source).astype(np.intp), -1, 0)
        inside = (x >= 0) & (y >= 0) & (x < alpha.shape[1]) & (y < alpha.shape[0])
        is_opaque = alpha[np.where(inside, y, 0), np.where(inside, x, 0)] >= 128
        hidden: NDArray[np.bool_] = inside & is_opaque
        return hidden

    def draw(self, picture: Image, index: int) -> None:
        """Lay the person over the picture, in place."""
        factor, offset = float(self.factor[index]), self.offset[index]
        level = int(np.clip(np.floor(-np.log2(factor)), 0, len(self.cutout.levels) - 1))
        source, scale = self.cutout.levels[level], factor * 2**level
        height, width = picture.shape[:2]
        size = np.array([source.shape[1], source.shape[0]]) * scale
        left, top = np.maximum(np.floor(offset), 0).astype(int)
        right, bottom = np.minimum(np.ceil(offset + size), (width, height)).astype(int)
        if left >= right or top >= bottom:
            return
        # From pixel centres of the part of the frame to pixel centres of the photo.
        start = (np.array([left, top]) + 0.5 - offset) / scale - 0.5
        matrix = np.array([[1 / scale, 0, start[0]], [0, 1 / scale, start[1]]])
        layer = cv2.warpAffine(
            source,
            matrix,
            (int(right - left), int(bottom - top)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        under = picture[top:bottom, left:right]
        through = (255 - layer[..., 3:]).astype(np.uint16)
        behind = (under * through + 127) // 255
        person = np.minimum(layer[..., :3] * np.float32(self.light), 255 - through)
        under[:] = np.minimum(behind + np.rint(person).astype(np.uint16), 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Shot:
    first: int
    length: int
    backdrop: Image
    shift: NDArray[np.intp]
    actors: tuple[_Placed, ...]


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames made on demand, and the truth about them. Iteration yields RGB uint8 [H, W, 3]."""

    width: int
    height: int
    frame_count: int
    shots: tuple[_Shot, ...]

    def __len__(self) -> int:
        return self.frame_count

    def __iter__(self) -> Iterator[Image]:
        return (self.frame(number) for number in range(self.frame_count))

    def frame(self, number: int) -> Image:
        """One frame, RGB uint8 [H, W, 3]."""
        shot = [shot for shot in self.shots if shot.first <= number][-1]
        index = number - shot.first
        if not 0 <= index < shot.length:
            raise IndexError(f"frame {number} of a clip of {self.frame_count}")
        left = shot.shift[index]
        picture = shot.backdrop[:, left : left + self.width].copy()
        for actor in shot.actors:
            actor.draw(picture, index)
        return picture

    @cached_property
    def truth(self) -> Truth:
        """Where every face is, who it is, and how much of it can be seen."""
        people = tuple(
            sorted({actor.cutout.person for shot in self.shots for actor in shot.actors})
        )
        parts = [
            (
                np.arange(shot.first, shot.first + shot.length),
                np.full(shot.length, people.index(actor.cutout.person)),
                actor.boxes,
                self._seen(actor, shot.actors[place + 1 :]),
            )
            for shot in self.shots
            for place, actor in enumerate(shot.actors)
        ]
        frames, person, boxes, seen = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        track = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        inside = (boxes[:, :2] < (self.width, self.height)).all(1) & (boxes[:, 2:] > 0).all(1)
        rows = np.flatnonzero(inside)
        rows = rows[np.argsort(frames[rows], kind="stable")]
        return Truth(
            width=self.width,
            height=self.height,
            frame_count=self.frame_count,
            people=people,
            shot_starts=np.array([shot.first for shot in self.shots], np.int32),
            frames=frames[rows].astype(np.int32),
            person=person[rows].astype(np.int32),
            boxes=boxes[rows].astype(np.float32),
            seen=seen[rows],
            track=track[rows].astype(np.int32),
        )

    def _seen(self, actor: _Placed, in_front: Sequence[_Placed]) -> NDArray[np.bool_]:
        points = grid_points(actor.boxes)
        seen = ((points >= 0) & (points < (self.width, self.height))).all(axis=-1) & ELLIPSE
        for other in in_front:
            seen &= ~other.hides(points)
        assert seen.shape[1:] == (GRID, GRID)
        return seen


def make_clip(
    width: int = 640,
    height: int = 360,
    frame_count: int = 250,
    seed: int = 0,
    scenes: Sequence[Scene] = STANDARD,
) -> Clip:
    """A clip of these scenes, their lengths in proportion to their shares.

    The seed changes backgrounds, camera movement and the way people sway. Raises ValueError when
    there are fewer frames than scenes.
    """
    if frame_count < len(scenes):
        raise ValueError(f"{frame_count} frames are too few for {len(scenes)} scenes")
    random = np.random.default_rng(seed)
    shares = np.cumsum([0, *(scene.share for scene in scenes)])
    starts = np.rint(shares / shares[-1] * frame_count).astype(int)
    shots = []
    for scene, first, end in zip(scenes, starts, starts[1:], strict=False):
        length = int(end - first)
        backdrop = _backdrop(width, height, scene, random)
        pan = np.linspace(0, backdrop.shape[1] - width, length)
        shift = np.rint(pan if random.random() < 0.5 else pan[::-1]).astype(np.intp)
        actors = tuple(_place(actor, length, width, height, random) for actor in scene.actors)
        shots.append(_Shot(int(first), length, backdrop, shift, actors))
    return Clip(width, height, frame_count, tuple(shots))


def _place(
    actor: Actor, length: int, width: int, height: int, random: np.random.Generator
) -> _Placed:
    time = np.linspace(0, 1, length)
    keys = np.array(actor.path)
    x, y, size = (np.interp(time, keys[:, 0], keys[:, column]) for column in (1, 2, 3))
    # People do not move in a straight line: a step every 14 frames, and a slower sway.
    frames, phase = np.arange(length), random.uniform(0, 2 * np.pi, 2)
    y = y + 0.006 * np.sin(2 * np.pi * frames / 14 + phase[0])
    x = x + 0.005 * np.sin(2 * np.pi * frames / 45 + phase[1])
    person = cutout(actor.portrait)
    factor = size * height / (person.face[3] - person.face[1])
    face_centre = (person.face[:2] + person.face[2:]) / 2
    offset = np.column_stack([x * width, y * height]) - factor[:, None] * face_centre
    return _Placed(person, actor.light, factor, offset)


def _backdrop(width: int, height: int, scene: Scene, random: np.random.Generator) -> Image:
    """A picture a quarter wider than the frame: two colours mixed by soft noise."""
    wide = width + width // 4
    mix = np.tile(np.linspace(0, 1, height, dtype=np.float32)[:, None], (1, wide))
    for cells in (3, 7, 16):
        noise = random.standard_normal((cells, 2 * cells)).astype(np.float32)
        mix += (
            0.6 / np.sqrt(cells) * cv2.resize(noise, (wide, height), interpolation=cv2.INTER_CUBIC)
        )
    mix = np.clip(mix, 0, 1)[..., None]
    low, high = np.array(scene.colours, np.float32)
    backdrop: Image = np.rint(low + (high - low) * mix).astype(np.uint8)
    return backdrop


def write_frames(clip: Clip, folder: Path | str) -> None:
    """Write a folder of PNG files, img0000001.png and so on."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(clip, start=1):
        Picture.fromarray(picture).save(folder / f"img{number:07d}.png", compress_level=1)


def write_video(clip: Clip, path: Path | str, audio: bool = True, repeat: int = 1) -> None:
    """Write an mp4: H.264 at 25 frames a second and, unless told otherwise, a tone as AAC.

    `repeat` plays the clip so many times, by copying packets: truth is `clip.truth.repeated(n)`.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        video.codec_context.time_base = Fraction(1, RATE)
        video.codec_context.options = {"crf": "16", "preset": "veryfast"}
        video.codec_context.colorspace = Colorspace.ITU709
        video.codec_context.color_primaries = ColorPrimaries.BT709
        video.codec_context.color_trc = ColorTrc.BT709
        video.codec_context.color_range = ColorRange.MPEG
        tone = container.add_stream("aac", rate=AUDIO_RATE, layout="mono") if audio else None
        packets = _encode(clip, video)
        for turn in range(repeat):
            for number, packet in enumerate(packets):
                container.mux(_shifted(packet, video, turn * clip.frame_count))
                if tone is not None:
                    first = turn * clip.frame_count + number
                    for sound in _tone(first):
                        container.mux(tone.encode(sound))
        if tone is not None:
            container.mux(tone.encode(None))


def _encode(clip: Clip, video: VideoStream) -> list[VideoPacket]:
    packets = []
    for number, picture in enumerate(clip):
        frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        packets += video.encode(frame)
    return packets + video.encode(None)


def _shifted(packet: VideoPacket, video: VideoStream, frames: int) -> Packet[Stream]:
    """A copy of a packet that many frames later: muxing empties the packet it is given."""
    assert packet.pts is not None
    assert packet.dts is not None
    copy = Packet(bytes(packet))
    offset = round(frames / RATE / packet.time_base)
    copy.stream, copy.time_base = video, packet.time_base
    copy.pts, copy.dts = packet.pts + offset, packet.dts + offset
    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
    return copy


def _tone(number: int) -> Iterator[AudioFrame]:
    """The blocks of a swelling 440 Hz tone that begin during video frame `number`."""
    samples = AUDIO_RATE // RATE
    for block in range(
        -(-number * samples // AUDIO_BLOCK), -(-(number + 1) * samples // AUDIO_BLOCK)
    ):
        time = (block * AUDIO_BLOCK + np.arange(AUDIO_BLOCK)) / AUDIO_RATE
        wave = 0.2 * np.sin(2 * np.pi * 440 * time) * (1 + np.sin(2 * np.pi * time / 3)) / 2
        frame = AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = AUDIO_RATE, block * AUDIO_BLOCK
        frame.time_base = Fraction(1, AUDIO_RATE)
        yield frame
