"""A video at its own pace: with a scripted stream, and with files that PyAV really wrote and reads."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from foureyes_actors.capture.picture import PictureInfo, examine
from foureyes_actors.capture.video_source import DEADLINE, SEEK_BEYOND, VideoSource
from foureyes_actors.errors import BadPicture, SourceEnded, SourceRefused
from foureyes_actors.ports.clock import ManualClock
from foureyes_actors.ports.video import PyAvVideo, VideoFrame, VideoPort
from foureyes_actors.settings import PictureLimits, VideoSettings
from tests.support import need

LIMITS = PictureLimits()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class ScriptedVideo:
    """A VideoPort. Frame n is due at times[n] and grey n % 256; a text instead of a time is a broken place.
    ``decoding``: seconds that one frame takes."""

    def __init__(self, times: Sequence[float | str], clock: ManualClock, decoding: float = 0.0) -> None:
        self.times, self.clock, self.decoding = times, clock, decoding
        self.at, self.decoded, self.opened, self.closed, self.seeks = 0, 0, 0, 0, list[float]()

    def open(self, path: Path, max_pixels: int) -> ScriptedVideo:
        self.opened += 1
        self.at = 0
        return self

    def next(self) -> VideoFrame | None:
        if self.at == len(self.times):
            return None
        self.clock.advance(self.decoding)
        self.at += 1
        self.decoded += 1
        number, time = self.at - 1, self.times[self.at - 1]
        if isinstance(time, str):
            raise BadPicture(time)
        return VideoFrame(time, 0.1, lambda: Image.new("RGB", (32, 32), (number % 256,) * 3))

    def seek(self, time: float) -> None:
        self.seeks.append(time)
        before = [n for n, at in enumerate(self.times) if isinstance(at, float) and at <= time]
        self.at = max(0, before[-1] - 3) if before else 0

    def close(self) -> None:
        self.closed += 1


def scripted(video: VideoPort, clock: ManualClock, loop: bool = False) -> VideoSource:
    return VideoSource(VideoSettings(path=Path("shows.mp4"), loop=loop), LIMITS, video, clock)


def grey(picture: bytes) -> int:
    with Image.open(BytesIO(picture)) as image:
        value = image.convert("L").getpixel((16, 16))
    assert isinstance(value, int)
    return value


def steady(seconds: float, rate: float = 10.0) -> list[float | str]:
    return [n / rate for n in range(round(seconds * rate))]


def test_the_frame_that_is_due_is_given_and_those_between_are_skipped(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo(steady(2.0), clock), clock)
    seen = []
    for _ in range(6):
        seen.append(grey(source.grab()))
        clock.advance(1 / 3)
    assert seen == [0, 3, 6, 10, 13, 16]


def test_time_counts_from_the_first_grab(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo(steady(2.0), clock), clock)
    clock.advance(1000)
    assert grey(source.grab()) == 0


def test_a_slow_video_repeats_its_frame_byte_for_byte(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo([0.0, 1.0], clock), clock)
    first = source.grab()
    clock.advance(0.5)
    assert source.grab() is first
    clock.advance(0.5)
    assert grey(source.grab()) == 1


def test_irregular_timestamps_are_kept(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo([0.0, 0.05, 0.9, 0.95, 1.5], clock), clock)
    seen = []
    for _ in range(5):
        seen.append(grey(source.grab()))
        clock.advance(0.4)
    assert seen == [0, 1, 1, 3, 4]


def test_the_end_comes_after_the_last_frames_time_and_stays(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo(steady(1.0), clock), clock)
    clock.advance(5)
    source.grab()
    clock.advance(0.99)
    assert grey(source.grab()) == 9
    clock.advance(0.02)
    for _ in range(2):
        with pytest.raises(SourceEnded, match=r"the end of shows\.mp4"):
            source.grab()


def test_a_loop_begins_again_in_step_with_the_clock(clock: ManualClock) -> None:
    video = ScriptedVideo(steady(1.0), clock)
    source = scripted(video, clock, loop=True)
    seen = []
    for _ in range(8):
        seen.append(grey(source.grab()))
        clock.advance(0.35)
    assert seen == [0, 3, 7, 0, 4, 7, 1, 4]
    clock.advance(100.0)  # many rounds later
    assert grey(source.grab()) == 8
    assert video.closed == video.opened - 1


def test_a_source_far_behind_seeks_instead_of_decoding_everything(clock: ManualClock) -> None:
    video = ScriptedVideo(steady(1000.0), clock)
    source = scripted(video, clock)
    source.grab()
    clock.advance(SEEK_BEYOND - 0.5)
    source.grab()
    assert video.seeks == []
    clock.advance(900.0)
    decoded = video.decoded
    assert grey(source.grab()) == pytest.approx(9045 % 256, abs=1)
    assert len(video.seeks) == 1
    assert video.decoded - decoded < 10


def test_one_grab_decodes_no_longer_than_its_deadline_and_catches_up_later(clock: ManualClock) -> None:
    video = ScriptedVideo(steady(20.0), clock, decoding=0.2)
    source = scripted(video, clock)
    source.grab()
    clock.advance(3.0)
    began = clock.monotonic()
    source.grab()
    assert clock.monotonic() - began <= DEADLINE + 3 * 0.2
    assert grey(source.grab()) > 0


def test_a_broken_place_is_told_once_and_the_video_goes_on(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo([0.0, 0.1, "shows.mp4: broken", "too", "and here", 0.3, 0.4], clock), clock)
    assert grey(source.grab()) == 0
    clock.advance(0.35)
    with pytest.raises(BadPicture, match=r"shows\.mp4: broken"):
        source.grab()
    assert grey(source.grab()) == 5


def test_a_video_that_begins_broken_goes_on_too(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo(["broken", 0.1, 0.2], clock), clock)
    with pytest.raises(BadPicture):
        source.grab()
    assert grey(source.grab()) == 1


def test_a_video_without_any_frame_ends(clock: ManualClock) -> None:
    with pytest.raises(SourceEnded):
        scripted(ScriptedVideo([], clock), clock).grab()


def test_a_looping_video_without_any_frame_says_so(clock: ManualClock) -> None:
    source = scripted(ScriptedVideo([], clock), clock, loop=True)
    for _ in range(3):
        with pytest.raises(BadPicture, match="has no frame"):
            source.grab()


def test_it_opens_lazily_and_closes_twice(clock: ManualClock) -> None:
    video = ScriptedVideo(steady(1.0), clock)
    source = scripted(video, clock)
    assert (source.name, video.opened) == ("video:shows.mp4", 0)
    source.grab()
    source.close()
    source.close()
    assert video.closed == 1


# --- real files -------------------------------------------------------------------------------------------------------

CODECS = {"mp4": "mpeg4", "mkv": "libx264", "avi": "mpeg4", "webm": "libvpx-vp9"}


@pytest.fixture
def av() -> None:
    need(modules=("av",), install="pip install 'foureyes[video]'")


def make_video(path: Path, frames: int = 30, rate: int = 10, size: tuple[int, int] = (64, 48)) -> Path:
    """Frame n is grey 8 x n."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix[1:]], rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", 10
        for number in range(frames):
            image = Image.new("RGB", size, (number * 8 % 256,) * 3)
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def real(path: Path, clock: ManualClock, loop: bool = False, limits: PictureLimits = LIMITS) -> VideoSource:
    return VideoSource(VideoSettings(path=path, loop=loop), limits, PyAvVideo(), clock)


@pytest.mark.parametrize("kind", CODECS)
def test_a_real_video_is_played_at_its_pace_to_its_end(av: None, tmp_path: Path, clock: ManualClock, kind: str) -> None:
    source = real(make_video(tmp_path / f"a.{kind}"), clock)
    seen = []
    with pytest.raises(SourceEnded):
        for _ in range(20):
            picture = source.grab()
            assert examine(picture, LIMITS) == PictureInfo("image/jpeg", 64, 48)
            seen.append(grey(picture))
            clock.advance(0.301)
    assert seen == pytest.approx([24 * n for n in range(10)], abs=8)
    source.close()


def test_a_real_video_loops(av: None, tmp_path: Path, clock: ManualClock) -> None:
    source = real(make_video(tmp_path / "a.mp4"), clock, loop=True)
    seen = []
    for _ in range(5):
        seen.append(grey(source.grab()))
        clock.advance(1.0)
    assert seen == pytest.approx([0, 80, 160, 0, 80], abs=8)
    source.close()


def test_a_real_video_is_sought_in(av: None, tmp_path: Path, clock: ManualClock) -> None:
    source = real(make_video(tmp_path / "a.mkv", frames=200), clock)
    source.grab()
    clock.advance(15.03)
    assert grey(source.grab()) == pytest.approx(150 * 8 % 256, abs=8)
    source.close()


def test_a_missing_file_is_refused(av: None, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(SourceRefused, match=r"source.video.path: .*nowhere.mp4 is not there"):
        real(tmp_path / "nowhere.mp4", clock).grab()
    with pytest.raises(SourceRefused, match="not a file"):
        real(tmp_path, clock).grab()


@pytest.mark.parametrize(
    "content", [b"", b"hello", bytes(100_000), b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"]
)
def test_what_is_no_video_is_named_and_ends_the_source(
    av: None, tmp_path: Path, clock: ManualClock, content: bytes
) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    source = real(path, clock)
    with pytest.raises(BadPicture, match=r"notes\.mp4 is not a video that can be read"):
        source.grab()
    with pytest.raises(SourceEnded):
        source.grab()
    looping = real(path, clock, loop=True)
    for _ in range(3):
        with pytest.raises(BadPicture):
            looping.grab()
    make_video(tmp_path / "other.mp4").replace(path)
    assert examine(looping.grab(), LIMITS).width == 64


def test_a_sound_file_is_refused(av: None, tmp_path: Path, clock: ManualClock) -> None:
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    with pytest.raises(SourceRefused, match=r"no video in .*a\.wav"):
        real(tmp_path / "a.wav", clock).grab()


def test_a_damaged_real_video_gives_what_can_be_read_and_names_the_rest(
    av: None, tmp_path: Path, clock: ManualClock
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100)
    data = path.read_bytes()
    third = len(data) // 3
    path.write_bytes(data[:third] + b"\xa5" * third + data[2 * third :])
    source, good, bad = real(path, clock), 0, []
    with pytest.raises(SourceEnded):
        for _ in range(200):
            try:
                source.grab()
                good += 1
            except BadPicture as error:
                bad.append(str(error))
            clock.advance(0.1)
    assert good > 50
    assert 0 < len(bad) < 10
    assert all("a.mp4: a broken place near" in text for text in bad)


def test_half_a_real_video_ends_early(av: None, tmp_path: Path, clock: ManualClock) -> None:
    path = make_video(tmp_path / "a.mkv", frames=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source, frames = real(path, clock), 0
    with pytest.raises(SourceEnded):
        for _ in range(150):
            source.grab()
            frames += 1
            clock.advance(0.1)
    assert 5 < frames < 100


def test_a_video_larger_than_allowed_is_refused_before_decoding(av: None, tmp_path: Path, clock: ManualClock) -> None:
    path = make_video(tmp_path / "a.mp4")
    with pytest.raises(SourceRefused, match=r"a\.mp4 has 64 x 48 pixels; source.limits.max_pixels allows 1000"):
        real(path, clock, limits=PictureLimits(max_pixels=1000)).grab()
