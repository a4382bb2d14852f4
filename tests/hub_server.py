"""A small Hugging Face Hub on 127.0.0.1, for uploads and downloads that run for real without a network.

Model repositories with one branch, `main`, and every commit kept: create, commit, model info, file tree, download.
Files are sent inside the commit ("regular" upload), as the Hub does with small ones.

    with HubServer() as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_any", ...}  # read when huggingface_hub is imported
        ...
        hub.files("me/model")["config.json"]
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

USER = "me"


@dataclass
class Repository:
    """`commits` maps a commit's id to its files, path -> content, oldest first."""

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


class HubServer:
    """Runs in a thread of this process between `with` and the end of the block. `url` is the endpoint."""

    def __init__(self):
        self.repositories: dict[str, Repository] = {}
        self.lock = threading.Lock()
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

    def files(self, repo_id: str) -> dict[str, bytes]:
        """Path -> content at the head of `main`."""
        repository = self.repositories[repo_id]
        return repository.commits[repository.head]


class HubRequestHandler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    ROUTES = (
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/validate-yaml", "validate_card"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/models/(?P<repo_id>[^/]+/[^/]+)/preupload/(?P<revision>[^/]+)", "preupload"),
        ("POST", r"/api/models/(?P<repo_id>[^/]+/[^/]+)/commit/(?P<revision>[^/]+)", "commit"),
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

    def answer(self, method: str):
        body = self.read_body()  # always, or what is left of it would be taken for the next request
        path = urlsplit(self.path).path
        for route_method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and route_method == method:
                arguments = {key: unquote(value) for key, value in match.groupdict().items() if value is not None}
                if body:
                    arguments["body"] = body
                with self.hub.lock:
                    getattr(self, name)(**arguments)
                return
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
            self.hub.repositories[repo_id] = repository = Repository()
            repository.commit({".gitattributes": b""})
        self.send_json({"url": f"{self.hub.url}/{repo_id}", "id": repo_id}, status=409 if known else 200)

    def preupload(self, repo_id: str, revision: str, body: bytes):
        if self.find(repo_id, revision):
            answer = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            self.send_json({"files": [{"path": file["path"], **answer} for file in json.loads(body)["files"]]})

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
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
            elif operation["key"] != "header":
                self.hub.unknown_requests.append(f"commit operation {operation['key']}")
        commit = repository.commit(files)
        self.send_json({"commitUrl": f"{self.hub.url}/{repo_id}/commit/{commit}", "commitOid": commit})

    def info(self, repo_id: str, revision: str = "main"):
        if found := self.find(repo_id, revision):
            repository, commit = found
            siblings = [{"rfilename": path} for path in repository.commits[commit]]
            self.send_json({"_id": repo_id, "id": repo_id, "sha": commit, "siblings": siblings, "tags": []})

    def tree(self, repo_id: str, revision: str, folder: str = ""):
        if found := self.find(repo_id, revision):
            repository, commit = found
            prefix = folder and f"{folder}/"
            entries = [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
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
                headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
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
