"""The few endpoints of a model hub that `huggingface_hub` asks for pushing and pulling a model, on loopback.

It keeps what it was sent and gives that back: what the client sends and understands is the real client's. What a real
hub refuses beyond tokens, and its newer way of storing files (Xet), is not here.
"""

import base64
import hashlib
import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class ModelHub:
    """Repositories by name; `sent` has every path with its bytes.

    Attributes:
        token: what `Authorization` must be.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.private: dict[str, bool] = {}
        self.sent: dict[str, dict[str, bytes]] = {}
        self._objects: dict[str, bytes] = {}
        self.app = FastAPI()
        self.app.middleware("http")(self._answer)

    async def _answer(self, request: Request, _: Any) -> Response:
        path, body = request.url.path, await request.body()
        if request.method == "PUT" and path.startswith("/objects/"):  # its address was only given to who may write
            self._objects[path.removeprefix("/objects/")] = body
            return Response()
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "Invalid username or password."}, 401)
        if path == "/api/validate-yaml":  # of the card
            return JSONResponse({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body), str(request.base_url))
        if "/info/lfs/objects/batch" in path:
            return self._batch(json.loads(body), str(request.base_url))
        if "/preupload/" in path:
            return self._modes(json.loads(body))
        if "/commit/" in path:
            return self._commit(path.split("/api/models/")[1].split("/commit/")[0], body, str(request.base_url))
        if path.startswith("/api/models/"):
            return self._info(path.removeprefix("/api/models/"))
        return self._file(path.lstrip("/"))

    def _create(self, asked: dict[str, Any], base: str) -> Response:
        repo = f"{asked['organization']}/{asked['name']}"
        if repo in self.private:
            return JSONResponse({"error": "exists", "url": base + repo}, 409)
        self.private[repo] = asked.get("visibility") == "private"
        self.sent[repo] = {}
        return JSONResponse({"url": base + repo})

    def _modes(self, asked: dict[str, Any]) -> Response:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in asked["files"]
        ]
        return JSONResponse({"files": files})

    def _batch(self, asked: dict[str, Any], base: str) -> Response:
        objects = [
            {**one, "actions": {"upload": {"href": f"{base}objects/{one['oid']}"}}} for one in asked["objects"]
        ]
        return JSONResponse({"transfer": "basic", "objects": objects})

    def _commit(self, repo: str, body: bytes, base: str) -> Response:
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.sent[repo][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                content = self._objects[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                self.sent[repo][value["path"]] = content
        return JSONResponse({"commitUrl": f"{base}{repo}/commit/{COMMIT}", "commitOid": COMMIT})

    def _info(self, path: str) -> Response:
        repo, _, revision = path.partition("/revision/")
        if repo not in self.private:
            return JSONResponse({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("", "main", "v1", COMMIT):
            return JSONResponse({"error": "Invalid rev"}, 404, {"X-Error-Code": "RevisionNotFound"})
        siblings = [{"rfilename": name} for name in self.sent[repo]]
        return JSONResponse({"id": repo, "sha": COMMIT, "private": self.private[repo], "siblings": siblings})

    def _file(self, path: str) -> Response:
        repo, _, rest = path.partition("/resolve/")
        name = rest.partition("/")[2]
        content = self.sent.get(repo, {}).get(name)
        if content is None:
            return JSONResponse({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha256(content).hexdigest()
        return Response(content, headers={"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})
