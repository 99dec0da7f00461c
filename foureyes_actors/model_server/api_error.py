"""What goes back to a client whose request cannot be answered."""

from __future__ import annotations

from typing import Any

from foureyes_actors.model_server.catalog import BUILT_IN, Catalog


class ApiError(Exception):
    """Becomes a reply in OpenAI's error shape, or in LM Studio's plain one when it has no ``kind``."""

    def __init__(
        self, status: int, message: str, *, kind: str = "", code: str = "", param: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.code, self.param = status, message, kind, code, param
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}
        if status in (408, 413):  # the rest of the body is still to come
            self.headers["Connection"] = "close"

    def body(self) -> dict[str, Any]:
        if not self.kind:
            return {"error": self.message}
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param or None,
                "code": self.code or None,
            }
        }


def invalid(message: str, *, param: str = "", code: str = "") -> ApiError:
    return ApiError(400, message, kind="invalid_request_error", param=param, code=code)


def unknown_model(model_id: object, param: str = "model", catalog: Catalog = BUILT_IN) -> ApiError:
    return ApiError(
        404,
        f"Model {str(model_id)[:200]!a} not found. This server knows: {catalog.known()}",
        kind="invalid_request_error",
        param=param,
        code="model_not_found",
    )


def unexpected_route(method: str, path: str) -> ApiError:
    """LM Studio's words (with a 200 there, which hides the mistake). On OpenAI's routes in OpenAI's shape: its clients
    show no other words than those of an error object."""
    message = f"Unexpected endpoint or method. ({method} {path[:200]})"
    openai = path.startswith("/v1/")
    return ApiError(404, message, kind="invalid_request_error" if openai else "", code="unknown_url" if openai else "")


def overloaded(limit: int) -> ApiError:
    return ApiError(
        503, f"{limit} requests are in work already", kind="overloaded_error", code="overloaded", retry_after=1
    )
