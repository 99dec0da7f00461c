"""The local model as a fixer: one request to the server that reads screens, text alone, no tools."""

from __future__ import annotations

import json
from collections.abc import Sequence

from foureyes_actors.errors import FourEyesError
from foureyes_actors.inference.reply import text_of
from foureyes_actors.inference.request import CONNECT_TIMEOUT, chat_url
from foureyes_actors.ports.http import HttpPort, HttpRequest
from foureyes_actors.text import bounded_middle, one_line
from t00l5et.fixing.diffs import diff_in, is_diff, repaired
from t00l5et.fixing.fixer import MAX_DIFF, Answer, Assignment
from t00l5et.fixing.prompt import SYSTEM
from t00l5et.fixing.sources import lines_in

MAX_TOKENS = 8192
TEMPERATURE = 0.2
MAX_REPLY = 4 * MAX_DIFF  # bytes
MAX_SAID = 16 * 1024


class ModelFixer:
    """Implements Fixer. ``token``: of the server; no error repeats it."""

    budget = 24_000  # characters of source in a task: local models have short contexts

    def __init__(self, http: HttpPort, *, base_url: str, model: str, token: str = "") -> None:
        self._http, self._base_url, self._model, self._token = http, base_url, model, token

    @property
    def name(self) -> str:
        return self._model

    def propose(self, assignment: Assignment) -> Answer:
        try:
            prompt = assignment.prompt.read_bytes().decode("utf-8", "replace")
            text = text_of(self._http.exchange(self._request(prompt, assignment.seconds)), self._model, self._token)
        except FourEyesError as error:
            return Answer(None, f"{self._model}: {one_line(str(error), 300)}")
        except OSError as error:
            return Answer(None, f"the prompt cannot be read: {error.strerror}")
        said = bounded_middle(text, MAX_SAID)
        if len(text.encode("utf-8", "replace")) > MAX_DIFF:
            return Answer(None, f"it answered with more than {MAX_DIFF} bytes", said)
        diff = diff_in(text)
        if not diff:
            return Answer(None, f"there is no unified diff in its answer ({len(text)} characters)", said)

        def read(path: str) -> Sequence[str]:
            return lines_in(assignment.tree, path)

        patch = repaired(diff, read).encode("utf-8", "surrogatepass")
        return Answer(patch, said=said) if is_diff(patch) else Answer(None, "its diff has no hunk", said)

    def close(self) -> None:
        self._http.close()

    def _request(self, prompt: str, seconds: float) -> HttpRequest:
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
            "max_tokens": MAX_TOKENS,
            "temperature": TEMPERATURE,
            "stream": False,
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return HttpRequest(
            "POST",
            chat_url(self._base_url),
            headers,
            json.dumps(body).encode(),
            connect_timeout=min(CONNECT_TIMEOUT, seconds),
            deadline=seconds,
            max_reply=MAX_REPLY,
        )
