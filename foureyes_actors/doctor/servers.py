"""The doctor's probes of model servers. Each tells what is there, or raises."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from foureyes_actors.doctor.parts import PATIENCE, Absent, Patient, Unfit
from foureyes_actors.errors import (
    ConfigurationError,
    ConnectFailed,
    FourEyesError,
    LMStudioError,
    MissingExtraError,
    ServerRefused,
    TransportError,
)
from foureyes_actors.inference.request import server_root
from foureyes_actors.inference.routing import routing_of
from foureyes_actors.lm_studio.advice import HANGS, trouble_advice
from foureyes_actors.lm_studio.dialect import server_at
from foureyes_actors.lm_studio.dialects import DIALECTS, V1
from foureyes_actors.lm_studio.installation import find_app, find_lms, how_to_get_lms
from foureyes_actors.lm_studio.process import LM_STUDIO_URL, known_url
from foureyes_actors.lm_studio.recognise import recognise
from foureyes_actors.lm_studio.replies import rows_of
from foureyes_actors.lm_studio.server_calls import known_models, list_models
from foureyes_actors.model_server.transformers_engine.registry import catalog_with, folder_of
from foureyes_actors.ports.http import HttpPort, HttpReply, HttpRequest
from foureyes_actors.settings import Settings

START_LM_STUDIO = "start LM Studio's server: Developer > Start server, or: lms server start"
ENGINE = ("numpy", "cv2", "onnxruntime", "starlette", "uvicorn")
GREETING = {"lmstudio": True}
_REFUSED = (401, 403)


def lms_wanted(settings: Settings) -> bool:
    server = settings.model_server
    return server.kind == "lm_studio" and server.manage and not server.command


def command_wanted(settings: Settings) -> bool:
    return settings.model_server.manage and bool(settings.model_server.command)


def embedded(patient: Patient) -> str:
    """Imports what its process will import, and looks for its models and its port."""
    from foureyes_actors.model_server.engine.models import model_files

    for package in ENGINE:
        try:
            patient.inspection.import_module(package)
        except ModuleNotFoundError:
            raise MissingExtraError(package, "embedded", "the embedded model server") from None
        except (ImportError, OSError) as error:
            raise Unfit(f"{package} is installed and cannot be imported: {error}", "install it again") from None
    files = model_files("tiny")
    url = patient.settings.model_server.base_url
    if patient.settings.model_server.kind == "embedded" and url != "auto":
        _free(patient, url)
    if _starts_embedded(patient.settings):
        _hosted(patient)
    return f"its packages can be imported, its models are in {files.detector.parent.parent}"


def _starts_embedded(settings: Settings) -> bool:
    """One that somebody else starts, or another command, may have other models."""
    server = settings.model_server
    return server.kind == "embedded" and server.manage and not server.command


def _hosted(patient: Patient) -> None:
    """Whether it will have what the configuration asks for, by its own reader of ``models_dir``."""
    server = patient.settings.model_server
    folders = [] if server.models_dir is None else [folder_of(str(server.models_dir)).absolute()]
    try:
        catalog = catalog_with({}, folders, server.device)
    except ConfigurationError as error:
        raise ConfigurationError(f"model_server.models_dir: {str(error).removeprefix('--models-dir ')}") from None
    wanted = patient.wanted_models()
    instead = {group[0] for group in routing_of(wanted).groups if any(map(catalog.find, group[1:]))}
    lacking = [model for model in wanted if catalog.find(model) is None and model not in instead]
    if lacking:
        raise Unfit(
            f"it does not have the model {', '.join(lacking)}; it has {catalog.known()}",
            "name one that it has in the model table (model_server.models_file), or its folder as "
            "model_server.models_dir",
        )


def _free(patient: Patient, url: str) -> None:
    port = urlsplit(url).port or 80
    holder = patient.world.processes.listener(port)
    if holder is not None:
        raise Unfit(
            f"port {port} is in use by {holder}",
            "if it is the server you mean, set model_server.kind: auto; if not, base_url: auto",
        )


def lm_studio(patient: Patient) -> str:
    try:
        return _lm_studio(patient)
    except ConnectFailed:
        raise
    except TransportError as error:
        raise Unfit(str(error), HANGS) from None


def _lm_studio(patient: Patient) -> str:
    wanted, url = patient.settings.model_server.kind == "lm_studio", _lm_studio_url(patient.settings)
    try:
        greeting = _greeting(patient)
    except ConnectFailed:
        starter = _lms(patient)
        if lms_wanted(patient.settings) and starter:
            return f"not running at {url}; FourEyes starts it with {starter}"
        app = find_app(patient.world.processes, patient.inspection.home())
        where = f"; its desktop app is {app}" if app else ""
        raise ConnectFailed(f"not running at {url}{where}") from None
    if _json(greeting) != GREETING:
        holder = patient.world.processes.listener(urlsplit(url).port or 80) or "somebody"
        raise Unfit(f"what answers at {url} is not LM Studio but {holder}", "end it, or set model_server.base_url")
    return f"running at {url}, {_models(patient, url) if wanted else _model_count(patient, url)}"


def _lm_studio_url(settings: Settings) -> str:
    server = settings.model_server
    configured = server.kind == "lm_studio" and server.base_url != "auto"
    return server_root(server.base_url) if configured else LM_STUDIO_URL


def _greeting(patient: Patient) -> HttpReply:
    return _get(patient, f"{_lm_studio_url(patient.settings)}/lmstudio-greeting")


def _models(patient: Patient, url: str) -> str:
    """Whether it has what the configuration asks for."""
    rows = _downloaded(_json(_get(patient, f"{url}/api/v1/models", token=True)))
    if rows is None:
        return "its list of models cannot be read (LM Studio 0.4 or newer has one)"
    wanted = patient.wanted_models()
    routing = routing_of(wanted)
    lacking = [model for model in wanted if model.lower() not in rows]
    instead = {group[0]: model for group in reversed(routing.groups) for model in group[:0:-1] if model.lower() in rows}
    if [model for model in lacking if model not in instead]:
        gets = " && ".join(f"lms get {model}" for model in lacking)
        raise Unfit(f"running at {url}, without the model {', '.join(lacking)}", f"download it: {gets}")
    if lacking:
        reads = ", ".join(f"{instead[model]} reads instead of {model}" for model in lacking)
        return f"{reads}, which it has not (lms get {lacking[0]})"
    smaller = [model for model in routing.alternatives if model.lower() not in rows]
    lacks = f"; not the smaller {', '.join(smaller)} (lms get {smaller[0]})" if smaller else ""
    return f"has {', '.join(wanted)}{lacks}"


def _model_count(patient: Patient, url: str) -> str:
    """A stranger's token is not ours to send: this LM Studio is not configured."""
    rows = _downloaded(_json(_get(patient, f"{url}/api/v1/models")))
    return "models not listed" if rows is None else f"{len(rows)} models downloaded"


def _downloaded(body: Any) -> set[str] | None:
    """By the reader of a run; None when there is no list that can be read."""
    try:
        models = map(V1.read, rows_of(body, V1.key, V1.route))
    except LMStudioError:
        return None
    return {model.key.lower() for model in models if model.key}


def lms(patient: Patient) -> str:
    found = _lms(patient)
    if found is not None:
        return found
    if lms_wanted(patient.settings) and _greets(patient):
        url = _lm_studio_url(patient.settings)
        detail = f"not found, and not needed while LM Studio runs at {url}; FourEyes could not start it again"
        raise Absent(detail, "to have it started: model_server.command; else: model_server.manage: false", needed=False)
    advice = how_to_get_lms(patient.world.processes, patient.inspection.home())
    raise Absent("not found on PATH, in LM Studio's folder or in its desktop app", advice)


def _greets(patient: Patient) -> bool:
    try:
        return bool(_json(_greeting(patient)) == GREETING)
    except TransportError:
        return False


def _lms(patient: Patient) -> str | None:
    return find_lms(patient.world.processes, patient.inspection.home(), patient.world.files)


def other(patient: Patient) -> str:
    """Any other kind: recognised by asking, and compared with what is configured."""
    server = patient.settings.model_server
    url, token = known_url(server) or "", server.api_token.get_secret_value()
    http = patient.world.http()
    try:
        found = recognise(http, url, token)
        if server.kind == "auto" or server.kind in (found.kind, "openai"):
            listed = list_models(http, server_at(url, found, token)).models
            return f"{found.name} at {server_root(url)}, has {len(listed)} models: {known_models(listed)}"
    except (ConnectFailed, ServerRefused):
        raise
    except FourEyesError as error:
        raise Unfit(str(error), trouble_advice(http, url, token, server.kind, error)) from None
    finally:
        http.close()
    raise Unfit(
        f"what answers at {url} is {found.name}, not {DIALECTS[server.kind].name}",
        f"in foureyes.yaml: model_server: {{kind: {found.kind}}}",
    )


def at_their_ports(patient: Patient) -> str:
    """What runs on this machine where such servers are by default. Nobody's token is sent. Raises ConnectFailed."""
    mine = server_root(known_url(patient.settings.model_server) or "")
    urls = dict.fromkeys(d.url for d in DIALECTS.values() if d.url not in (None, LM_STUDIO_URL, mine))
    http = patient.world.http()
    try:
        found = [words for url in urls if url is not None and (words := _recognised(http, url))]
    finally:
        http.close()
    if not found:
        raise ConnectFailed(f"none at {', '.join(urlsplit(url).netloc for url in urls if url)}")
    return "; ".join(found)


def _recognised(http: HttpPort, url: str) -> str:
    try:
        kind: str = recognise(http, url).kind
    except ServerRefused:
        kind = "auto"  # it wants a token: a server it is
    except FourEyesError:
        return ""
    return f"model_server: {{kind: {kind}, base_url: '{url}'}}"


def command(patient: Patient) -> str:
    program = patient.settings.model_server.command[0]
    found = patient.world.processes.find_program(program)
    if found is None:
        raise ConfigurationError(f"model_server.command: {program!r} is not found")
    return found


def _get(patient: Patient, url: str, *, token: bool = False) -> HttpReply:
    """Raises the TransportError branch, and ServerRefused when a token is missing or wrong."""
    secret = patient.settings.model_server.api_token.get_secret_value() if token else ""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    http = patient.world.http()
    try:
        reply = http.exchange(HttpRequest("GET", url, headers, connect_timeout=PATIENCE, deadline=PATIENCE))
    finally:
        http.close()
    if reply.status in _REFUSED and token:
        state = "refuses the token" if secret else "asks for a token"
        raise ServerRefused(f"{url} {state} (status {reply.status}): set FOUREYES_API_TOKEN")
    return reply


def _json(reply: HttpReply) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
