"""A model repository on the Hub as `publishing` finds it, and the one commit that it makes of it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo, get_token
from huggingface_hub.errors import RepositoryNotFoundError

from holovid.saving import CARD


@dataclass
class Repository:
    """`head` is the commit that it stands at, `None` before it is made; `files` and `card` are those of it."""

    api: HfApi
    repo_id: str
    private: bool
    head: str | None = None
    files: frozenset[str] = frozenset()
    card: str | None = None

    @classmethod
    def find(cls, repo_id: str, token: str | None, private: bool | None) -> "Repository":
        """Look a repository up; nothing is made yet.

        Raises `ValueError` without a token, and when the repository is there and not as `private` says; `OSError` when
        the Hub cannot be reached, or does not know the token.
        """
        if not (token or get_token()):
            raise ValueError("the Hub asks who is publishing: run `hf auth login`, or set HF_TOKEN")
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
            raise ValueError(f"{repo_id} is {is_now}; make it {wanted} in its settings, or publish without saying so")
        return cls(api, repo_id, bool(info.private), info.sha, file_names(info), card)

    @property
    def url(self) -> str:
        return f"{self.api.endpoint}/{self.repo_id}"

    def upload(self, folder: Path, files: Sequence[str], stale: Sequence[str], message: str) -> str:
        """Commit `files` of `folder`, and the deletion of what is `stale` and not among them; all of it or nothing.

        Returns the commit, which is `head` if there is nothing to change. Raises `OSError` when the Hub refuses or
        cannot be reached, or when somebody else has committed since `find`.
        """
        try:
            if self.head is None:
                self.api.create_repo(self.repo_id, private=self.private, exist_ok=True)
            operations: list[CommitOperationAdd | CommitOperationDelete] = [
                *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in files),
                *(CommitOperationDelete(path_in_repo=name) for name in sorted(set(stale) - set(files))),
            ]
            commit = self.api.create_commit(self.repo_id, operations, commit_message=message, parent_commit=self.head)
        except Exception as error:  # of several libraries, by how the bytes travelled
            raise ConnectionError(f"nothing was published in {self.repo_id}, run it again: {reason(error)}") from error
        return commit.oid


def model_info(api: HfApi, repo_id: str) -> ModelInfo | None:
    """`None` when there is no such repository, for the owner of a valid token."""
    try:
        return api.model_info(repo_id)
    except RepositoryNotFoundError:
        api.whoami()  # to somebody unknown, the Hub does not show private ones either
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
    """What the Hub says, or else what happened first, in a line."""
    while not getattr(error, "server_message", None) and error.__cause__ is not None:
        error = error.__cause__
    said = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    return said.splitlines()[0]
