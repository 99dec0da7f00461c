"""Names that a patch may not bring in, and what each stands for. Pure tables."""

from __future__ import annotations

BROAD = frozenset({"Exception", "BaseException", "ExceptionGroup", "BaseExceptionGroup"})


def _table(**kinds: str) -> dict[str, str]:
    return {name: kind.replace("_", " ") for kind, names in kinds.items() for name in names.split()}


# As a name by itself.
NAMES = _table(
    dynamic="getattr setattr delattr hasattr eval exec compile globals locals vars dir memoryview attrgetter "
    "methodcaller import_module itemgetter object super reload",
    outside_world="open input breakpoint print help exit quit os sys subprocess socket ctypes shutil pathlib Path "
    "tempfile signal threading multiprocessing asyncio logging requests urllib http urlopen builtins importlib",
    hashing="hash id hashlib md5 sha1 sha224 sha256 sha384 sha512 blake2b blake2s crc32 adler32",
    sleep="sleep time retry Retrying wait",
    frames="inspect traceback currentframe gc weakref",
    hidden_text="chr b64decode unhexlify a85decode rot13 codecs",
    escape="SystemExit KeyboardInterrupt GeneratorExit TapeDivergence StopIteration StopAsyncIteration",
)
# As what follows a point.
ATTRIBUTES = _table(
    dynamic="attrgetter methodcaller import_module modules builtins mro format_map func_globals",
    outside_world="os sys environ getenv system popen Popen fork forkpty spawn spawnv execv execve kill _exit open "
    "write_text write_bytes read_text read_bytes unlink connect create_connection sendall urlopen subprocess socket "
    "ctypes request post exchange submit tell",
    hashing="md5 sha1 sha224 sha256 sha384 sha512 blake2b blake2s crc32 adler32 hexdigest",
    sleep="sleep wait wait_for retry acquire",
    frames="_getframe f_back f_locals f_globals f_builtins f_code tb_frame tb_next gi_frame cr_frame ag_frame "
    "currentframe stack settrace setprofile",
    hidden_text="fromhex b64decode unhexlify a85decode",
    clock="monotonic utc_now",
)
_IMPORTS = """
__future__ bisect collections collections.abc dataclasses datetime decimal enum fractions functools itertools math
numbers re string types typing unicodedata
"""
_ENDINGS = """
attrgetter methodcaller count cycle repeat cache lru_cache cached_property get_type_hints new_class FunctionType
CodeType MethodType make_dataclass partialmethod singledispatch wraps
"""
# Modules that may be imported anew, beside FourEyes's own (ports, replay and bug excepted).
IMPORTS = frozenset(_IMPORTS.split())
# What may not be taken from a module.
ENDINGS = frozenset(_ENDINGS.split())
# Of FourEyes's own, what a patch may not bring in anew: doors to the world, what judges and protects. The settings
# themselves may be, what reads and checks them may not.
GUARDED = tuple(
    f"foureyes_actors.{name}"
    for name in (
        *("ports", "replay", "bug", "world", "wiring", "headless", "commands", "model_server", "doctor"),
        *("forgewright", "bench", "upkeep", "defence", "redacted_log", "program", "entry"),
        *("settings.address", "settings.bug", "settings.changes", "settings.config", "settings.environment"),
        *("settings.file", "settings.forgewright", "settings.paths", "settings.pressure", "settings.problems"),
        *("settings.schema", "settings.section", "settings.table", "settings.yaml"),
    )
)
# Part of a text (lower case) -> what it stands for.
TEXTS = {
    "pytest": "test detection",
    "fe_mode": "test detection",
    "foureyes_": "test detection",
    "unittest": "test detection",
    "repro_": "test detection",
    "://": "outside world",
    "/proc": "outside world",
    "/tmp": "outside world",
    "__": "dynamic",
    "import os": "dynamic",
}
