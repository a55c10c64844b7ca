"""An analysis that corrections have changed still takes the features that were saved with it."""

import json

import pytest

from faceveil.analysis import read_analysis
from faceveil.cli.main import main
from faceveil.corrections.document import Corrections, write_corrections
from faceveil.corrections.entries import BoxAt, Draw, Split
from faceveil.faces import Kind
from testkit.clips import make_clip, write_frames
from testkit.portraits import portrait_path
from testkit.review_studio import TWO_PEOPLE


def run(*words):
    return main([*map(str, words), "--quiet"])


@pytest.mark.slow
def test_a_choice_by_photo_after_a_split_and_a_drawn_face(tmp_path):
    """Rendered with corrections, chosen again by photo over the result, and verified: the features
    are those of the faces in their places, and what was drawn stays veiled."""
    frames, features, document = tmp_path / "in", tmp_path / "f.npz", tmp_path / "c.json"
    write_frames(make_clip(640, 360, 16, scenes=TWO_PEOPLE), frames)
    assert run("analyse", frames, tmp_path / "a.json", "--features", features) == 0
    analysis = read_analysis(tmp_path / "a.json")
    longest = max(analysis.sequences, key=len)
    anchor = BoxAt(longest.first, tuple(longest.boxes[0].tolist()))
    corrections = Corrections.of(analysis.source)
    corrections = corrections.with_change(Split(anchor, longest.first + 6), by="Ada")
    drawn = Draw("o1", Kind.FACE, (BoxAt(2, (0.0, 0.0, 30.0, 40.0)),), first=0, last=9)
    write_corrections(corrections.with_change(drawn, by="Ada"), document)

    given = ["--features", features]
    corrected = ["--corrections", document, "--analysis", tmp_path / "b.json", *given]
    assert run("render", frames, tmp_path / "a.json", tmp_path / "one", *corrected) == 0
    changed = read_analysis(tmp_path / "b.json")
    assert len(changed.sequences) == len(analysis.sequences) + 2

    again = ["--keep", portrait_path("obama3"), "--analysis", tmp_path / "d.json", *given]
    assert run("render", frames, tmp_path / "b.json", tmp_path / "two", *again) == 0
    chosen = read_analysis(tmp_path / "d.json")
    assert not chosen.veiled.all(), "the photo was recognised by the features"
    by_hand = [item.by for item, veil in zip(chosen.decisions, chosen.veiled, strict=True) if veil]
    assert "Ada" in by_hand

    output = [tmp_path / "two", tmp_path / "d.json", "--input", frames, *given]
    assert run("verify", *output, "--json", tmp_path / "v.json") == 0
    assert json.loads((tmp_path / "v.json").read_bytes())["recognised"] is True
