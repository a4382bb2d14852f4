"""A model repository on the Hub: looked up before publishing, then changed in one commit."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo, get_token
from huggingface_hub.errors import RepositoryNotFoundError

from holovid.saving import CARD


@dataclass
class Repository:
    """`head` is the newest commit, `None` for a repository that does not exist yet; `files` and `card` are its own."""

    api: HfApi
    repo_id: str
    private: bool
    head: str | None = None
    files: frozenset[str] = frozenset()
    card: str | None = None

    @classmethod
    def find(cls, repo_id: str, token: str | None, private: bool | None) -> "Repository":
        """Look a repository up, without creating it.

        Raises `ValueError` without a token, and if an existing repository is not as `private` says; `OSError` if the
        Hub cannot be reached or does not accept the token.
        """
        if not (token or get_token()):
            raise ValueError("publishing needs a token of the Hub: run `hf auth login`, or set HF_TOKEN")
        api = HfApi(token=token)
        try:
            info = model_info(api, repo_id)
            card = None if info is None else read_card(api, info)
        except Exception as error:
            raise ConnectionError(f"{repo_id} cannot be looked up: {reason(error)}") from error
        if info is None:
            return cls(api, repo_id, private is not False)
        if private is not None and bool(info.private) != private:
            is_now, wanted = ("private", "public") if info.private else ("public", "private")
            raise ValueError(
                f"{repo_id} is {is_now}: make it {wanted} in its settings on the Hub, or leave out the option "
                f"--{wanted}"
            )
        return cls(api, repo_id, bool(info.private), info.sha, file_names(info), card)

    @property
    def url(self) -> str:
        return f"{self.api.endpoint}/{self.repo_id}"

    def upload(self, folder: Path, files: Sequence[str], stale: Sequence[str], message: str) -> str:
        """In one commit, upload `files` of `folder` and delete `stale` files that are not among them.

        Returns the commit, which is `head` if nothing changes. Raises `OSError` if the Hub refuses or cannot be
        reached, or if somebody else has committed since `find`; the repository is then unchanged.
        """
        try:
            if self.head is None:
                self.api.create_repo(self.repo_id, private=self.private, exist_ok=True)
            operations: list[CommitOperationAdd | CommitOperationDelete] = [
                *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in files),
                *(CommitOperationDelete(path_in_repo=name) for name in sorted(set(stale) - set(files))),
            ]
            commit = self.api.create_commit(self.repo_id, operations, commit_message=message, parent_commit=self.head)
        except Exception as error:  # the kind depends on the library that carries the bytes
            raise ConnectionError(f"nothing was published in {self.repo_id}, try again: {reason(error)}") from error
        return commit.oid


def model_info(api: HfApi, repo_id: str) -> ModelInfo | None:
    """Information about a repository, `None` if it does not exist. The token must be valid."""
    try:
        return api.model_info(repo_id)
    except RepositoryNotFoundError:
        api.whoami()  # raises for an invalid token, to which the Hub hides private repositories too
        return None


def file_names(info: ModelInfo) -> frozenset[str]:
    return frozenset(sibling.rfilename for sibling in info.siblings or ())


def read_card(api: HfApi, info: ModelInfo) -> str | None:
    if CARD not in file_names(info):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = api.hf_hub_download(info.id, CARD, revision=info.sha, local_dir=folder)
        return Path(path).read_text(encoding="utf-8")


def reason(error: BaseException) -> str:
    """The Hub's message, or else the first cause, in a line."""
    while not getattr(error, "server_message", None) and error.__cause__ is not None:
        error = error.__cause__
    said = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    return said.splitlines()[0]
