"""What the rows in a study's folder are of: the file that a run is held against before it goes on.

``manifest.json`` says which study, which options, which model, which prompts and how many of them
make a chunk. Rows of two of these are never mixed, so a run whose own differ is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visit.errors import RequestError
from visit.formats.fields import drop_absent, keep_known
from visit.graph.flow import ModelInfo
from visit.graph.studied.columns import Column
from visit.studies.rows import Prepared
from visit.studies.study import Prompt

SCHEMA = "visit.study/1"

OptionValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class PromptsRead:
    """The prompts of a study, as far as they must be the same again.

    Attributes:
        name: What whoever ran it called them, such as the name of a file.
        count: How many there are.
        sha256: Over the id, text and target of each.
    """

    name: str
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a column's values lie in a file.

    Attributes:
        column: What they are.
        dtype: What each number is, like ``float32``; ``text`` of a text.
        shape: Of one prompt's value.
    """

    column: Column
    dtype: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known of a study's rows beside themselves.

    Attributes:
        visit_version: What began to measure.
        study: The study's name.
        study_version: Of what it measures.
        options: What was chosen, in full.
        prompts: Of which prompts.
        chunk: How many prompts are measured together and make one shard.
        command: What was typed.
        created: When, in UTC.
        sources: The SHA-256 of each file that the study was read from, where one was: a mended
            file goes on with the rows of the one before, as long as its version is the same.
        model: Of which model, once it is loaded.
        prepared: What the study found out first, once it did.
        columns: How each column lies, once a chunk is measured.
    """

    visit_version: str
    study: str
    study_version: int
    options: Mapping[str, OptionValue]
    prompts: PromptsRead
    chunk: int
    command: str
    created: str
    sources: tuple[str, ...] = ()
    model: ModelInfo | None = None
    prepared: Prepared | None = None
    columns: tuple[Layout, ...] = ()

    @property
    def n_chunks(self) -> int:
        """How many shards there are once all is measured."""
        return -(-self.prompts.count // self.chunk)


def digest_prompts(prompts: Sequence[Prompt]) -> str:
    """The SHA-256 over the id, text and target of each."""
    digest = hashlib.sha256()
    for one in prompts:
        digest.update(json.dumps([one.id, one.text, one.target]).encode() + b"\n")
    return digest.hexdigest()


def json_from_manifest(manifest: Manifest) -> str:
    """A manifest as it stands in its file.

    Raises:
        ValueError: what was prepared is no plain data.
    """
    model = None if manifest.model is None else drop_absent(**asdict(manifest.model))
    record = drop_absent(
        schema=SCHEMA,
        visit_version=manifest.visit_version,
        study={"name": manifest.study, "version": manifest.study_version,
               "options": dict(manifest.options), "sources": manifest.sources},
        model=model,
        prompts=asdict(manifest.prompts),
        chunk=manifest.chunk,
        prepared=manifest.prepared,
        columns=[{**asdict(one.column), "dtype": one.dtype, "shape": one.shape}
                 for one in manifest.columns],
        command=manifest.command,
        created=manifest.created,
    )  # fmt: skip
    return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def manifest_from_json(text: str, path: str | Path) -> Manifest:
    """The manifest that a file holds.

    Args:
        text: What the file says.
        path: The file, for the message.

    Raises:
        RequestError: it is not one, or of another version.
    """
    try:
        record = json.loads(text)
        schema = record["schema"]
        if schema != SCHEMA:
            raise RequestError(f"{path} is {schema!r}; this version reads {SCHEMA}")
        return _from_record(record)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RequestError(
            f"{path} is no manifest of a study, or damaged ({type(error).__name__}: {error}); give "
            "another folder"
        ) from None


def _from_record(record: dict[str, Any]) -> Manifest:
    study, model = record["study"], record.get("model")
    return Manifest(
        visit_version=record["visit_version"],
        study=study["name"],
        study_version=int(study["version"]),
        options=dict(study["options"]),
        sources=tuple(study["sources"]),
        prompts=PromptsRead(**record["prompts"]),
        chunk=int(record["chunk"]),
        command=record["command"],
        created=record["created"],
        model=None if model is None else ModelInfo(**keep_known(ModelInfo, model)),
        prepared=record.get("prepared"),
        columns=tuple(map(layout_from_record, record["columns"])),
    )


def layout_from_record(record: Mapping[str, Any]) -> Layout:
    """How a column lies, as a manifest or a shard says it."""
    column = Column(record["name"], record["says"], tuple(record["axes"]), record["unit"])
    return Layout(column, record["dtype"], tuple(record["shape"]))


def is_same_run(kept: Manifest, wanted: Manifest) -> bool:
    """Whether the rows of both may be mixed, as far as is known before the model is loaded."""
    return _run_identity(kept) == _run_identity(wanted)


def _run_identity(one: Manifest) -> tuple[object, ...]:
    return one.study, one.study_version, dict(one.options), one.prompts.sha256, one.chunk


def check_same_run(folder: Path, kept: Manifest, wanted: Manifest) -> None:
    """Refuse to go on with rows of another study, of other options or of other prompts.

    Raises:
        RequestError: they are; the text says which.
    """
    instead = "or another folder"
    if kept.study != wanted.study:
        raise RequestError(
            f"{folder} holds rows of the study {kept.study!r}, not {wanted.study!r}; give that "
            f"study, {instead}"
        )
    if kept.study_version != wanted.study_version:
        raise RequestError(
            f"{folder} holds rows of version {kept.study_version} of the study {kept.study!r}, and "
            f"this is version {wanted.study_version}, which measures otherwise; give another folder"
        )
    if dict(kept.options) != dict(wanted.options):
        raise RequestError(
            f"{folder} was measured with {_in_words(kept.options)}, not "
            f"{_in_words(wanted.options)}; give the same options, {instead}"
        )
    if kept.prompts.sha256 != wanted.prompts.sha256:
        raise RequestError(
            f"{folder} holds other prompts ({_named(kept.prompts)}) than these "
            f"({_named(wanted.prompts)}); give the same prompts, {instead}"
        )
    if kept.chunk != wanted.chunk:
        raise RequestError(
            f"{folder} has {kept.chunk} prompts a chunk, not {wanted.chunk}; give {kept.chunk}, "
            f"{instead}"
        )


def is_same_model(kept: ModelInfo, loaded: ModelInfo) -> bool:
    """Whether the weights and the numbers of both are the same."""
    return _identity(kept) == _identity(loaded)


def check_same_model(folder: Path, kept: ModelInfo, loaded: ModelInfo) -> None:
    """Refuse to go on with rows of another model, or of the same in other numbers.

    Raises:
        RequestError: they are; the text says which.
    """
    if not is_same_model(kept, loaded):
        raise RequestError(
            f"{folder} holds rows of the model {_model(kept)}, not of {_model(loaded)}; give that "
            "model, or another folder"
        )


def _identity(model: ModelInfo) -> tuple[str, str, str | None]:
    return model.weights_sha256, model.dtype, model.quantized


def _model(model: ModelInfo) -> str:
    numbers = model.dtype if model.quantized is None else f"{model.dtype}, {model.quantized}"
    return f"{model.name} ({numbers}, weights {model.weights_sha256[:12]})"


def _named(prompts: PromptsRead) -> str:
    return f"{prompts.count:,} of {prompts.name or 'no name'}, {prompts.sha256[:12]}"


def _in_words(options: Mapping[str, OptionValue]) -> str:
    said = ", ".join(f"{name}={value}" for name, value in options.items())
    return said or "no options"
