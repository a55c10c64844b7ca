"""The command as a user runs it: what it makes, what it says, and the code it ends with."""

import json

import av
import jsonschema
import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.analysis import read_analysis
from faceveil.cli.main import main
from faceveil.schemas import load_schema
from faceveil.veils.styles import VeilStyle
from testkit.clips import make_clip, write_frames, write_video
from testkit.portraits import portrait_path
from testkit.truth import coverage_of_analysis, evaluate

FRAME_COUNT, FEW = 80, 16


@pytest.fixture(scope="session")
def clip():
    return make_clip(480, 270, frame_count=FRAME_COUNT)


@pytest.fixture(scope="session")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    write_video(clip, path)
    return path


@pytest.fixture(scope="session")
def short(tmp_path_factory):
    """The beginning of the same people's clip, where a test needs no more."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    write_video(make_clip(480, 270, frame_count=FEW), path)
    return path


@pytest.fixture(scope="session")
def analysis(video):
    path = video.with_name("analysis.json")
    assert run("analyse", video, path, "--features", video.with_name("features.npz")) == 0
    return path


def run(*words):
    quiet = [] if words[0] in ("evaluate", "aws") else ["--quiet"]
    return main([str(word) for word in words] + quiet)


def frames_of(path):
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]


def partials(folder):
    return [path.name for path in folder.iterdir() if "partial" in path.name]


def test_render_writes_a_matte_and_keyframes_of_the_output(clip, video, analysis, tmp_path):
    """What the matte shows white is what differs between input and output, frame for frame."""
    code = run(
        *("render", video, analysis, tmp_path / "out.mp4", "--veil", "solid", "--crf", "1"),
        *("--matte", tmp_path / "matte.mov", "--keyframes", tmp_path / "k.json"),
        *("--verify-frames", "off"),
    )
    assert code == 0
    before, after = frames_of(video), frames_of(tmp_path / "out.mp4")
    mattes = frames_of(tmp_path / "matte.mov")
    assert [at for at, _ in mattes] == [at for at, _ in after]
    for (_, old), (_, new), (_, matte) in zip(before, after, mattes, strict=True):
        white = matte[..., 1] > 250
        assert new[white].max() < 40
        clear = matte[..., 1] < 5
        assert np.abs(new[clear].astype(int) - old[clear]).mean() < 3
    keyframes = json.loads((tmp_path / "k.json").read_text())
    jsonschema.validate(keyframes, load_schema("keyframes"))
    assert len(keyframes["masks"]) == sum(read_analysis(analysis).veiled)


def test_a_matte_is_checked_before_work_and_is_of_veils(video, analysis, tmp_path, capsys):
    (tmp_path / "matte.mov").write_bytes(b"mine")
    target = tmp_path / "out.mp4"
    assert run("render", video, analysis, target, "--matte", tmp_path / "matte.mov") == 5
    assert (tmp_path / "matte.mov").read_bytes() == b"mine"
    assert run("render", video, analysis, target, "--matte", target) == 2
    assert run("render", video, analysis, target, "--draw-boxes", "--matte", tmp_path / "m/") == 2
    assert "leave it out where boxes are drawn" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["matte.mov"]


def test_veil_keeps_the_person_of_a_photo_and_veils_all_others(clip, video, tmp_path):
    code = run(
        *("veil", video, tmp_path / "out.mp4", "--keep", portrait_path("obama3")),
        *("--analysis", tmp_path / "a.json", "--report", tmp_path / "r.json"),
        *("--contact-sheet", tmp_path / "sheet.png"),
    )
    assert code == 0
    after = frames_of(tmp_path / "out.mp4")
    assert [at for at, _ in after] == [at for at, _ in frames_of(video)]
    coverage = coverage_of_analysis(clip.truth, read_analysis(tmp_path / "a.json"), VeilStyle())
    result = evaluate(clip.truth, coverage, keep=["Barack Obama"])
    assert result.faces > 0
    assert result.missed == ()
    assert result.kept_veiled_share <= 0.02
    report = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(report, load_schema("report"))
    assert report["coverage"]["breaches"] == 0
    assert report["coverage"]["checked"] > 0
    assert Picture.open(tmp_path / "sheet.png").width > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json",
        "out.mp4",
        "r.json",
        "sheet.png",
    ]


def test_render_makes_the_same_frames_as_veil(short, tmp_path):
    assert run("veil", short, tmp_path / "one.mp4") == 0
    assert run("analyse", short, tmp_path / "a.json") == 0
    assert run("render", short, tmp_path / "a.json", tmp_path / "two.mp4") == 0
    pairs = zip(frames_of(tmp_path / "one.mp4"), frames_of(tmp_path / "two.mp4"), strict=True)
    assert all(at == other and (one == two).all() for (at, one), (other, two) in pairs)


def test_an_edit_of_the_analysis_is_rendered_without_detection(video, analysis, tmp_path):
    document = json.loads(analysis.read_text())
    for sequence in document["sequences"]:
        sequence["decision"]["veil"] = False
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert run("render", video, tmp_path / "a.json", tmp_path / "o.mp4", "--crf", "0") == 0
    pairs = zip(frames_of(video), frames_of(tmp_path / "o.mp4"), strict=True)
    assert all(np.array_equal(before, after) for (_, before), (_, after) in pairs)


def test_a_box_taken_out_of_the_analysis_breaches_coverage(video, analysis, tmp_path, capsys):
    document = json.loads(analysis.read_text())
    sequence = document["sequences"][0]
    index = sequence["provenance"].index("detected")
    for column in ("frames", "boxes", "scores", "provenance"):
        del sequence[column][index]
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert run("render", video, tmp_path / "a.json", tmp_path / "o.mp4") == 4
    assert "would stay visible" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()
    assert partials(tmp_path) == []


def test_a_new_choice_by_point_photo_and_identity_needs_no_detection(video, analysis, tmp_path):
    person = next(
        item for item in json.loads(analysis.read_text())["sequences"] if len(item["frames"]) > 5
    )
    frame, box = person["frames"][3], person["boxes"][3]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

    def decided(*words):
        out = tmp_path / "again.json"
        words = ("render", video, analysis, tmp_path / "o.mp4", "--analysis", out, *words)
        words += ("--overwrite",)
        assert run(*words) == 0
        return {
            sequence["identity"]: sequence["decision"]["veil"]
            for sequence in json.loads(out.read_text())["sequences"]
        }

    by_point = decided("--keep-at", f"{frame}:{x},{y}")
    assert not by_point.pop(person["identity"])
    assert all(by_point.values())
    by_identity = decided("--only-identity", person["identity"])
    assert by_identity.pop(person["identity"])
    features = video.with_name("features.npz")
    by_photo = decided("--keep", portrait_path("obama3"), "--features", features)
    assert sorted(by_photo.values())[0] is False
    assert any(by_photo.values())


def test_features_are_kept_apart_and_for_their_owner_only(analysis, video):
    assert "feature" not in analysis.read_text()
    assert video.with_name("features.npz").stat().st_mode & 0o077 == 0


def test_a_folder_of_frames_gives_a_folder_bit_exact_outside_the_veils(tmp_path):
    write_frames(make_clip(480, 270, frame_count=FEW), tmp_path / "frames")
    words = ("veil", tmp_path / "frames", tmp_path / "veiled", "--nobody")
    assert run(*words) == 0
    for before in sorted((tmp_path / "frames").iterdir()):
        assert before.read_bytes() == (tmp_path / "veiled" / before.name).read_bytes()
    assert run("veil", tmp_path / "frames", tmp_path / "all") == 0
    first = sorted((tmp_path / "frames").iterdir())[0].name
    before, after = (
        np.asarray(Picture.open(tmp_path / part / first)) for part in ("frames", "all")
    )
    changed = (before != after).any(axis=2)
    assert 0.01 < changed.mean() < 0.5


def test_stills_are_veiled_each_on_its_own(tmp_path):
    (tmp_path / "in").mkdir()
    Picture.open(portrait_path("obama")).convert("RGB").resize((256, 320)).save(
        tmp_path / "in" / "a man.png"
    )
    Picture.open(portrait_path("biden")).convert("RGB").resize((300, 400)).save(
        tmp_path / "in" / "b.jpg"
    )
    Picture.new("RGB", (50, 20), "green").save(tmp_path / "in" / "empty.png")
    words = ("veil", tmp_path / "in", tmp_path / "out", "--stills", "--veil", "upper")
    assert run(*words) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a man.png",
        "b.jpg",
        "empty.png",
    ]
    before, after = (
        np.asarray(Picture.open(tmp_path / part / "a man.png")) for part in ("in", "out")
    )
    rows = np.flatnonzero((before != after).any(axis=(1, 2)))
    assert 0 < len(rows) < 0.5 * len(before)
    empty = [(tmp_path / part / "empty.png").read_bytes() for part in ("in", "out")]
    assert empty[0] == empty[1]


def test_boxes_are_drawn_instead_of_veils(short, tmp_path):
    words = (
        "veil",
        short,
        tmp_path / "boxes.mp4",
        "--draw-boxes",
        "--keep",
        portrait_path("obama3"),
    )
    assert run(*words) == 0
    _, picture = frames_of(tmp_path / "boxes.mp4")[10]
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    assert ((red > 160) & (green < 110) & (blue < 110)).any()
    assert ((blue > 180) & (red < 110)).any()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("veil", "{video}", "{video}"), 2, "never written onto the input"),
        (("veil", "{video}", "{out}/o.avi"), 2, ".mp4"),
        (("veil", "{out}/missing.mp4", "{out}/o.mp4"), 3, "missing.mp4"),
        (("veil", "{video}", "{out}/no/o.mp4"), 5, "does not exist"),
        (("veil", "{video}", "{out}/o.mp4", "--veil", "fog"), 2, "fog"),
        (("veil", "{video}", "{out}/o.mp4", "--detector", "nobody"), 2, "nobody"),
        (("veil", "{video}", "{out}/o.mp4", "--smoothing", "butter"), 2, "butter"),
        (("veil", "{video}", "{out}/o.mp4", "--engine", "abacus"), 2, "abacus"),
        (
            ("veil", "{short}", "{out}/o.mp4", "--keep-at", "5:1,1"),
            3,
            "there is no face in frame 5",
        ),
        (("veil", "{short}", "{out}/o.mp4", "--keep-identity", "99"), 3, "identity 99"),
        (("veil", "{video}", "{out}/o.mp4", "--keep", "{out}/no.jpg"), 3, "no.jpg"),
        (("veil", "{video}", "{out}/o.mp4", "--keep", "{plain}"), 3, "plain.png"),
        (("veil", "{video}", "{out}/o.mp4", "--nobody", "--keep-at", "5:1,1"), 2, "choose one"),
        (("render", "{video}", "{plain}", "{out}/o.mp4"), 3, "not JSON"),
        (("render", "{other}", "{analysis}", "{out}/o.mp4"), 3, "another input"),
        (("render", "{video}", "{analysis}", "{out}/o.mp4", "--keep", "{plain}"), 2, "--features"),
    ],
)
def test_what_cannot_be_done_is_said(
    words, code, message, video, short, analysis, tmp_path, capsys
):
    plain = tmp_path / "plain.png"
    Picture.new("RGB", (64, 64), "grey").save(plain)
    other = tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes() + b"\0")
    places = {"video": video, "out": tmp_path, "analysis": analysis, "plain": plain, "other": other}
    places["short"] = short
    digest = video.read_bytes()
    assert run(*(word.format(**places) for word in words)) == code
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.mp4", "plain.png"]
    assert video.read_bytes() == digest


def test_a_video_cut_off_is_rendered_as_far_as_it_goes(short, tmp_path, capsys):
    cut = tmp_path / "cut.mkv"
    with av.open(str(short)) as source, av.open(str(cut), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    assert run("veil", cut, tmp_path / "o.mp4") == 3
    assert 5 < len(frames_of(tmp_path / "o.mp4")) < FEW
    assert "cut.mkv" in capsys.readouterr().err


def test_usage_errors_end_with_2():
    with pytest.raises(SystemExit) as ended:
        main(["veil"])
    assert ended.value.code == 2
    assert main(["veil", "a.mp4"]) == 2


def test_progress_as_json_lines(short, tmp_path, capsys):
    assert main(["veil", str(short), str(tmp_path / "o.mp4"), "--progress", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finished = {line["stage"]: line for line in lines if line["finished"]}
    assert set(finished) == {"analyse", "track", "render", "verify"}
    assert finished["render"]["frames"] == finished["render"]["total"] == FEW
    assert finished["render"]["eta_seconds"] == 0


def test_weights_are_listed_with_their_licences(capsys):
    assert main(["weights", "list"]) == 0
    text = capsys.readouterr().out
    for word in ("mtcnn", "centerface", "arcface-mobilefacenet", "transnetv2", "MIT", "MS1M"):
        assert word in text
    assert main(["weights", "verify", "mtcnn"]) == 0
    assert capsys.readouterr().out == "mtcnn: intact\n"


@pytest.mark.parametrize(
    "words",
    [
        ("analyse", "{video}", "{video}"),
        ("analyse", "{video}", "{out}/a.json", "--features", "{video}"),
        ("analyse", "{video}", "{out}/a.json", "--features", "{out}/a.json"),
        ("analyse", "{video}", "{out}/kept.json"),
        ("veil", "{video}", "{out}/o.mp4", "--report", "{video}"),
        ("veil", "{video}", "{out}/o.mp4", "--contact-sheet", "{link}"),
        ("veil", "{video}", "{out}/o.mp4", "--features", "{hard}"),
        ("veil", "{video}", "{out}/o.mp4", "--analysis", "{out}/o.mp4"),
        ("veil", "{video}", "{out}/o.mp4", "--report", "{out}/none/r.json"),
        ("veil", "{video}", "{out}/o.mp4", "--report", "{out}"),
        ("veil", "{video}", "{out}/o.mp4", "--report", "{out}/kept.json"),
        ("veil", "{video}", "{out}/kept.json/o.mp4"),
        ("veil", "{video}", "{out}/" + "n" * 300 + ".mp4"),
        ("veil", "{video}", "{out}/o.mp4", "--crops", "{out}/kept.json"),
        ("render", "{video}", "{analysis}", "{out}/o.mp4", "--analysis", "{analysis}"),
        ("render", "{video}", "{analysis}", "{analysis}", "--overwrite"),
        ("render", "{video}", "{analysis}", "{out}/o.mp4", "--report", "{video}", "--overwrite"),
        ("verify", "{video}", "{analysis}", "--json", "{analysis}", "--overwrite"),
        ("verify", "{video}", "{analysis}", "--json", "{out}/kept.json"),
        ("verify", "{video}", "{analysis}", "--crops", "{hard}"),
        ("evaluate", "{analysis}", "{analysis}", "--json", "{analysis}", "--overwrite"),
        ("evaluate", "{analysis}", "{analysis}", "--html", "{out}/kept.json"),
        ("aws", "assemble", "{out}", "{out}/o.mp4", "--rate", "25"),
    ],
)
def test_a_path_that_must_not_be_written_is_refused_before_any_work(
    words, video, analysis, tmp_path, capsys, monkeypatch
):
    """Inputs and earlier results survive every mix-up of paths, and no network is even opened."""
    work = video.parent / "hard link.mp4"
    work.unlink(missing_ok=True)
    work.hardlink_to(video)
    link = video.parent / "link.mp4"
    link.unlink(missing_ok=True)
    link.symlink_to(video)
    (tmp_path / "kept.json").write_text("{}")
    places = {"video": video, "out": tmp_path, "analysis": analysis, "link": link, "hard": work}
    before = video.read_bytes(), analysis.read_bytes()
    monkeypatch.setattr("faceveil.detect.analyzer.FaceAnalyzer.__init__", pytest.fail)
    assert run(*(word.format(**places) for word in words)) in (2, 5)
    message = capsys.readouterr().err
    assert message.startswith("faceveil: ") and message.count("\n") == 1
    assert (video.read_bytes(), analysis.read_bytes()) == before
    assert (tmp_path / "kept.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    work.unlink()
    link.unlink()
