"""The configuration: what foureyes.yaml may say, validated. Loading (files, environment, line numbers) is in
``file.py``. Every key has a default, so an empty file is a working configuration: the embedded default.

Durations are seconds. Secrets are ``SecretStr``: masked in every repr and log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from foureyes_actors import messages
from foureyes_actors.settings.address import is_host, is_server_address, is_token
from foureyes_actors.settings.bug import BugSettings
from foureyes_actors.settings.forgewright import ForgewrightSettings
from foureyes_actors.settings.paths import SettingPath
from foureyes_actors.settings.pressure import PressureSettings
from foureyes_actors.settings.section import Positive, Section

PortNumber = Annotated[int, Field(ge=1, le=65535)]
PixelSide = Annotated[int, Field(ge=8, le=4096)]  # OBS's own limits for a screenshot
CABINET_THEMES = (  # those of capture.cabinet, which draws and so is not imported here; a test compares them
    "lucky_gold",
    "pharaoh",
    "neon_city",
    "ocean",
    "led_classic",
    "arctic",
    "dot_palace",
    "dragon",
    "vegas_night",
    "alpine",
    "circus",
    "rio",
    "prague",
    "mumbai",
    "lagoon",
)
ServerKind = Literal[
    "auto",
    "embedded",
    "lm_studio",
    "llama_server",
    "ollama",
    "vllm",
    "llama_cpp_python",
    "text_generation_webui",
    "transformers",
    "simple",
    "openai",
]
NO_DEFAULT_ADDRESS = ("auto", "simple", "openai")
NOT_IN_DATABASE = ' $./:*<>?|"\\\0'  # what MongoDB refuses in a database's name, on one system or another
LONGEST_DATABASE = 63  # bytes


class CabinetSettings(Section):
    theme: str = "all"  # a theme's name, or "all": one after another
    seed: int = 7
    width: Annotated[int, Field(ge=320, le=4096)] = 1280  # smaller, nobody could read it
    height: Annotated[int, Field(ge=180, le=4096)] = 720
    jpeg_quality: Annotated[int, Field(ge=30, le=100)] = 85
    truth_file: SettingPath | None = None  # what each picture really shows, a JSON line a picture; for tests

    @field_validator("theme")
    @classmethod
    def _a_theme_of_the_cabinet(cls, theme: str) -> str:
        if theme not in ("all", *CABINET_THEMES):
            raise ValueError(f"is not one of: all, {', '.join(CABINET_THEMES)}")
        return theme


class ObsSettings(Section):
    host: str = "127.0.0.1"
    port: PortNumber = 4455
    password: SecretStr = SecretStr("")
    source: str = ""  # a scene or source by name; empty: whatever scene is on program
    media: Literal["jpg", "png"] = "jpg"
    quality: Annotated[int, Field(ge=-1, le=100)] = 85
    width: PixelSide | None = 1280
    height: PixelSide | None = 720
    deadline: Positive = 2.0

    @field_validator("host")
    @classmethod
    def _a_host(cls, host: str) -> str:
        if not is_host(host):
            raise ValueError("must be a host's name or IP address; right would be e.g. 127.0.0.1")
        return host


class ScreenSettings(Section):
    monitor: Annotated[int, Field(ge=0)] = 1  # 0: all monitors together
    region: tuple[float, float, float, float] | None = None  # x1, y1, x2, y2 as parts of the screen, 0-1
    jpeg_quality: Annotated[int, Field(ge=30, le=100)] = 85

    @field_validator("region", mode="before")
    @classmethod
    def _of_four_numbers(cls, region: Any) -> Any:
        if isinstance(region, list | tuple) and len(region) != 4:
            raise ValueError("must be four numbers x1, y1, x2, y2; right would be e.g. [0, 0, 1, 0.5]")
        return region

    @field_validator("region")
    @classmethod
    def _a_part_of_the_screen(
        cls, region: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if region is not None:
            x1, y1, x2, y2 = region
            if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
                raise ValueError("must be x1, y1, x2, y2 with 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1")
        return region


class VideoSettings(Section):
    path: SettingPath = Path("video.mp4")
    loop: bool = False
    jpeg_quality: Annotated[int, Field(ge=30, le=100)] = 85


class PicturesSettings(Section):
    path: SettingPath = Path("pictures")
    loop: bool = False


class HealthSettings(Section):
    down_after: Positive = 5.0
    frozen_after: Positive = 30.0
    black_level: Annotated[int, Field(ge=0, le=255)] = 8  # brightest luma of a picture that counts as black


class PictureLimits(Section):
    max_bytes: Annotated[int, Field(gt=0)] = 24 * 1024 * 1024
    # The default is LM Studio's own limit (5120 x 5120); at most Pillow's, above which it warns of a bomb by itself.
    max_pixels: Annotated[int, Field(gt=0, le=89_478_485)] = 26_214_400


class SourceSettings(Section):
    kind: Literal["cabinet", "obs", "screen", "video", "pictures"] = "cabinet"
    rate: Annotated[float, Field(gt=0, le=10)] = 3.0  # frames per second
    cabinet: CabinetSettings = CabinetSettings()
    obs: ObsSettings = ObsSettings()
    screen: ScreenSettings = ScreenSettings()
    video: VideoSettings = VideoSettings()
    pictures: PicturesSettings = PicturesSettings()
    health: HealthSettings = HealthSettings()
    limits: PictureLimits = PictureLimits()


class ModelServerSettings(Section):
    kind: ServerKind = "embedded"  # auto where base_url is given without a kind: recognised by asking
    base_url: str = "auto"  # auto: embedded takes a free port, the others their own default
    manage: bool = True  # False: attach only, never start or stop it
    restart_foreign: bool = False  # start one that somebody else had started again when it is gone or hangs
    command: tuple[str, ...] = ()  # how to start it, when not the kind's own way
    api_token: SecretStr = SecretStr("")
    models_file: SettingPath | None = None  # None: the kind's shipped table
    models_dir: SettingPath | None = None  # Hugging Face models for the embedded server; "hub": Hugging Face's cache
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # of those models
    start_timeout: Positive = 30.0
    load_timeout: Positive = 300.0
    context_length: Annotated[int, Field(ge=512)] | None = None  # tokens, at most the model's own; None: the server's
    concurrency: Annotated[int, Field(ge=1)] | None = (
        None  # requests at a time, all models together; None: the kind's own
    )
    reload_after: Annotated[int, Field(ge=0)] = 0  # pictures; 0: never
    reload_above: Annotated[int, Field(ge=0)] = 0  # MB in the server's processes, on this machine; 0: never
    check_every: Positive = 10.0
    silent_after: Annotated[int, Field(ge=1)] = 3  # failed checks in a row after which the server counts as dead
    stop_grace: Positive = 2.0  # with all the rest of the tree, stopping takes at most 5 s

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        if url == "auto":
            return url
        if "@" in url:
            raise ValueError("must be without user and password; a token goes to model_server.api_token")
        if not is_server_address(url):
            raise ValueError("must be auto or an address such as http://127.0.0.1:1234")
        return url.rstrip("/")

    @field_validator("api_token")
    @classmethod
    def _for_a_header(cls, token: SecretStr) -> SecretStr:
        if not is_token(token.get_secret_value()):
            raise ValueError("must be of printable ASCII characters, without a line end or a blank at its end")
        return token

    @model_validator(mode="before")
    @classmethod
    def _recognised_where_only_the_address_is_given(cls, values: Any) -> Any:
        if isinstance(values, dict) and "kind" not in values and values.get("base_url", "auto") != "auto":
            return {**values, "kind": "auto"}
        return values

    @model_validator(mode="after")
    def _some_need_an_address(self) -> ModelServerSettings:
        if self.kind in NO_DEFAULT_ADDRESS and self.base_url == "auto":
            raise ValueError(f"base_url must be given for kind {self.kind}, e.g. http://127.0.0.1:8080")
        return self


class InferenceSettings(Section):
    deadline: Positive = 30.0  # one request, everything included
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    # Waits before the 2nd, the 3rd attempt; the last one repeats.
    backoff: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)] = (2.0, 4.0)
    jitter: Annotated[float, Field(ge=0)] = 0.5  # at most this is added to each
    cache_ttl: Annotated[float, Field(ge=0)] = 5.0  # 0: no cache
    cache_size: Annotated[int, Field(ge=1)] = 256
    max_tokens: Annotated[int, Field(ge=16)] = 500
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    reasoning_effort: Literal["none", "low", "medium", "high"] | None = None  # none: for models that think aloud
    fallback_every: Positive = 3.0  # a frame each so many seconds while the polling fallback is active
    slow_every: Positive = 3.0  # a frame each so many seconds in the lower rhythm, when the machine is short of CPU


class FieldRule(Section):
    """Format and quorum of one field. ``quorum``: equal raw values in a row before a change is accepted."""

    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _a_range(self) -> FieldRule:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is more than maximum {self.maximum:g}: no value could be right")
        return self


def _default_rules() -> dict[messages.Field, FieldRule]:
    words = {messages.Field.STATE, messages.Field.MOTION, messages.Field.POPUP}
    return {name: FieldRule(quorum=2 if name in words else 1) for name in messages.Field}


class ReadingsSettings(Section):
    fields: dict[messages.Field, FieldRule] = Field(default_factory=_default_rules)
    join_timeout: Positive = 10.0  # wait at most so long for the other models' answers about a frame
    jackpot_fall: Annotated[float, Field(gt=0, lt=1)] = 0.2  # a fall by this part is a reset event

    def rule(self, name: messages.Field) -> FieldRule:
        return self.fields.get(name) or _default_rules()[name]


class RetentionSettings(Section):
    """Days."""

    readings: Positive = 7.0
    events: Positive = 90.0
    errors: Positive = 30.0
    decisions: Positive = 3650.0


class StoreSettings(Section):
    kind: Literal["sqlite", "mongodb"] = "sqlite"
    path: SettingPath = Path("foureyes.sqlite3")  # below data_dir unless absolute
    uri: SecretStr = SecretStr("mongodb://127.0.0.1:27017")
    database: str = "foureyes"
    timeout: Positive = 3.0  # one call to MongoDB
    retention: RetentionSettings = RetentionSettings()

    @field_validator("uri")
    @classmethod
    def _of_mongodb(cls, uri: SecretStr) -> SecretStr:
        if not uri.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must begin with mongodb:// or mongodb+srv://")
        return uri

    @field_validator("database")
    @classmethod
    def _a_name_for_mongodb(cls, name: str) -> str:
        if not name or len(name.encode()) > LONGEST_DATABASE or set(name) & set(NOT_IN_DATABASE):
            raise ValueError(f"must have 1 to {LONGEST_DATABASE} bytes and none of the blank, {NOT_IN_DATABASE[1:-1]}")
        return name

    @field_validator("path")
    @classmethod
    def _names_a_file(cls, path: Path) -> Path:
        if not path.name:
            raise ValueError("must name a file; right would be e.g. foureyes.sqlite3")
        return path


class ResourceSettings(Section):
    every: Positive = 5.0
    pressure: PressureSettings = PressureSettings()


class LogSettings(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"


class Settings(Section):
    version: Literal[1] = 1
    data_dir: SettingPath = Path("data")
    source: SourceSettings = SourceSettings()
    model_server: ModelServerSettings = ModelServerSettings()
    inference: InferenceSettings = InferenceSettings()
    readings: ReadingsSettings = ReadingsSettings()
    store: StoreSettings = StoreSettings()
    resource: ResourceSettings = ResourceSettings()
    bug: BugSettings = BugSettings()
    forgewright: ForgewrightSettings = ForgewrightSettings()
    log: LogSettings = LogSettings()

    @property
    def records_dir(self) -> Path:
        """What is needed to run failures again."""
        return self.data_dir / "records"

    @property
    def platforms_dir(self) -> Path:
        """The folders that run them again."""
        return self.data_dir / "platforms"

    @property
    def decisions_dir(self) -> Path:
        """What was decided about failures, and the work on it."""
        return self.data_dir / "decisions"

    @field_validator("data_dir", mode="before")
    @classmethod
    def _names_a_folder(cls, folder: Any) -> Any:
        if folder == "":
            raise ValueError("must name a folder; . is the working directory")
        return folder


class ModelEntry(BaseModel):
    """One row of huggingface_models.json, in the seed's format."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model_id: Annotated[str, Field(min_length=1)]
    prompt: Annotated[str, Field(min_length=1)]
    size: str = ""
    latency_target_ms: Annotated[int, Field(gt=0)] = 300
    device: Literal["cpu", "gpu", "cuda", "mps"] = "cpu"
    enabled: bool = True
    # Asked instead when the machine is short of memory or CPU: the smallest first, the next where the server lacks it.
    alternatives: tuple[Annotated[str, Field(min_length=1)], ...] = ()


ModelTable = dict[messages.Task, ModelEntry]
