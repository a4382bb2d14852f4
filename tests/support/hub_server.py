"""A small Hugging Face Hub on 127.0.0.1, for uploads and downloads that run for real without a network.

Model repositories with one branch, `main`, and every commit kept: create, commit, model info, file tree, download.
Weights are sent first, as objects of Git LFS, and other files inside the commit ("regular" upload). A commit names the
objects; it is made whole or refused.

    with HubServer() as hub:
        environment = {"HF_ENDPOINT": hub.url, **CLIENT}  # read when huggingface_hub is imported
        ...
        hub.files("me/model")["config.json"]

    with hub.visited():  # this process itself is the client
        ...
"""

import base64
import hashlib
import json
import re
import socket
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from huggingface_hub import constants
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.utils.sha import git_hash
from transformers.utils import hub as transformers_hub

USER = "me"
TOKEN = "hf_of_me"
# Large files travel by Git LFS: the other way, Xet, needs the storage of the real Hub.
CLIENT = {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass
class Repository:
    """`commits` maps a commit's id to its files, path -> content, oldest first."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        digest = hashlib.sha1(f"{len(self.commits)}".encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        self.commits[digest.hexdigest()] = files
        return digest.hexdigest()

    @property
    def head(self) -> str:
        return next(reversed(self.commits))

    def resolve(self, revision: str) -> str | None:
        revision = self.head if revision == "main" else revision
        return revision if revision in self.commits else None


def by_lfs(path: str) -> bool:
    return path.endswith((".safetensors", ".bin", ".mp4"))


def content_id(path: str, content: bytes) -> str:
    """By which the client sees whether a file has changed."""
    return hashlib.sha256(content).hexdigest() if by_lfs(path) else git_hash(content)


class HubServer:
    """Runs in a thread of this process between `with` and the end of the block. `url` is the endpoint.

    `cut` is the name of a request, "upload" or "commit", whose connection breaks before it is done.
    """

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}  # of Git LFS: sha256 -> content
        self.cut: str | None = None
        self.lock = threading.Lock()
        self.broken = False  # whether it answers everything with status 503
        self.requests = 0
        self.unknown_requests: list[str] = []  # what a client asked that this server does not know: a test wants none
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (HubRequestHandler,), {"hub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def visited(self):
        """Within the block, huggingface_hub of this process talks to this server and has a cache of its own."""
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as cache:
            patch.setattr(constants, "HF_HUB_CACHE", cache)
            patch.setenv("HF_HUB_CACHE", cache)  # for other processes
            patch.setattr(transformers_hub, "_hf_api", None)  # it would remember the endpoint
            patch.setattr(constants, "ENDPOINT", self.url)
            patch.setattr(
                constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}"
            )
            patch.setattr(constants, "HF_HUB_OFFLINE", False)
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
            patch.setenv("HF_TOKEN", TOKEN)
            yield self

    def files(self, repo_id: str) -> dict[str, bytes]:
        """Path -> content at the head of `main`."""
        repository = self.repositories[repo_id]
        return repository.commits[repository.head]


def card_metadata(card: bytes) -> dict:
    match = REGEX_YAML_BLOCK.search(card.decode())
    return yaml.safe_load(match[2]) if match else {}


class HubRequestHandler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    ROUTES = (
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/validate-yaml", "validate_card"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/models/(?P<repo_id>[^/]+/[^/]+)/preupload/(?P<revision>[^/]+)", "preupload"),
        ("POST", r"/api/models/(?P<repo_id>[^/]+/[^/]+)/commit/(?P<revision>[^/]+)", "commit"),
        ("POST", r"/(?P<repo_id>[^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
        ("PUT", r"/objects/(?P<oid>\w+)", "upload"),
        ("GET", r"/api/models/(?P<repo_id>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?", "info"),
        ("GET", r"/api/models/(?P<repo_id>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", "tree"),
        ("GET", r"/(?P<repo_id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "download"),
    )

    def do_GET(self):
        self.answer("GET")

    def do_HEAD(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def answer(self, method: str):
        path = urlsplit(self.path).path
        self.hub.requests += 1
        if self.hub.broken:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        for route_method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and route_method == method:
                if name == self.hub.cut:
                    self.rfile.read(int(self.headers["Content-Length"]) // 2)
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                arguments = {key: unquote(value) for key, value in match.groupdict().items() if value is not None}
                # always, or what is left of it would be taken for the next request
                if body := self.read_body():
                    arguments["body"] = body
                with self.hub.lock:
                    getattr(self, name)(**arguments)
                return
        self.read_body()
        self.hub.unknown_requests.append(f"{self.command} {path}")
        self.send_error_code(404, "EntryNotFound", "this small Hub does not know the address")

    def whoami(self):
        self.send_json({"type": "user", "name": USER, "orgs": []})

    def validate_card(self, body: bytes):
        self.send_json({"errors": [], "warnings": []})  # every card is fine here

    def create(self, body: bytes):
        request = json.loads(body)
        repo_id = f"{request.get('organization') or USER}/{request['name']}"
        known = repo_id in self.hub.repositories
        if not known:
            self.hub.repositories[repo_id] = repository = Repository(request.get("visibility") == "private")
            repository.commit({".gitattributes": b""})
        self.send_json({"url": f"{self.hub.url}/{repo_id}", "id": repo_id}, status=409 if known else 200)

    def preupload(self, repo_id: str, revision: str, body: bytes):
        if found := self.find(repo_id, revision):
            repository, commit = found
            there = repository.commits[commit]
            self.send_json(
                {
                    "files": [
                        {
                            "path": path,
                            "uploadMode": "lfs" if by_lfs(path) else "regular",
                            "shouldIgnore": False,
                            "oid": content_id(path, there[path]) if path in there else None,
                        }
                        for path in (file["path"] for file in json.loads(body)["files"])
                    ]
                }
            )

    def batch(self, repo_id: str, body: bytes):
        """What the client still has to upload, and where to."""
        if self.find(repo_id, "main"):
            objects = json.loads(body)["objects"]
            for each in objects:
                if each["oid"] not in self.hub.objects:
                    each["actions"] = {"upload": {"href": f"{self.hub.url}/objects/{each['oid']}"}}
            self.send_json({"transfer": "basic", "objects": objects})

    def upload(self, oid: str, body: bytes):
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.objects[oid] = body
        self.send(200, b"", "text/plain")

    def commit(self, repo_id: str, revision: str, body: bytes):
        if not (found := self.find(repo_id, revision)):
            return
        repository, parent = found
        files = dict(repository.commits[parent])
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
            elif operation["key"] != "header":
                self.hub.unknown_requests.append(f"commit operation {operation['key']}")
            elif value.get("parentCommit", parent) != parent:
                self.send_json({"error": "A commit has happened since. Please refresh and try again."}, status=412)
                return
        commit = repository.commit(files)
        self.send_json({"commitUrl": f"{self.hub.url}/{repo_id}/commit/{commit}", "commitOid": commit})

    def info(self, repo_id: str, revision: str = "main"):
        if found := self.find(repo_id, revision):
            repository, commit = found
            files = repository.commits[commit]
            card = card_metadata(files.get("README.md", b""))
            answer = {"_id": repo_id, "id": repo_id, "sha": commit, "private": repository.private, "cardData": card}
            # The real Hub guesses what the card does not say; here it must say it.
            answer |= {key: card.get(key) for key in ("library_name", "pipeline_tag")} | {"tags": card.get("tags", [])}
            self.send_json(answer | {"siblings": [{"rfilename": path} for path in files]})

    def tree(self, repo_id: str, revision: str, folder: str = ""):
        if found := self.find(repo_id, revision):
            repository, commit = found
            prefix = folder and f"{folder}/"
            entries = [
                {"type": "file", "path": path, "size": len(content), "oid": content_id(path, content)}
                for path, content in repository.commits[commit].items()
                if path.startswith(prefix)
            ]
            if entries:
                self.send_json(entries)
            else:
                self.send_error_code(404, "EntryNotFound", f"no folder {folder}", {"X-Repo-Commit": commit})

    def download(self, repo_id: str, revision: str, path: str):
        if found := self.find(repo_id, revision):
            repository, commit = found
            content = repository.commits[commit].get(path)
            if content is None:
                self.send_error_code(404, "EntryNotFound", f"no file {path}", {"X-Repo-Commit": commit})
            else:
                headers = {"ETag": f'"{content_id(path, content)}"', "X-Repo-Commit": commit}
                self.send(200, content, "application/octet-stream", headers)

    def find(self, repo_id: str, revision: str) -> tuple[Repository, str] | None:
        """The repository and the id of the commit, or `None` after an answer that says what is missing."""
        repository = self.hub.repositories.get(repo_id)
        if repository is None:
            self.send_error_code(404, "RepoNotFound", f"no repository {repo_id}")
            return None
        commit = repository.resolve(revision)
        if commit is None:
            self.send_error_code(404, "RevisionNotFound", f"no revision {revision}")
            return None
        return repository, commit

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send_json(self, content, status: int = 200):
        self.send(status, json.dumps(content).encode(), "application/json")

    def send_error_code(self, status: int, code: str, message: str, headers: dict[str, str] | None = None):
        content = json.dumps({"error": message}).encode()
        self.send(status, content, "application/json", {"X-Error-Code": code, **(headers or {})})

    def send(self, status: int, content: bytes, content_type: str, headers: dict[str, str] | None = None):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments):
        """Silence: the tests' output is not the place for an access log."""
