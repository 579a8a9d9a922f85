"""A study's folder -> its report: the study's own figures, with what they are of."""

from __future__ import annotations

from pathlib import Path

from visit.errors import RequestError
from visit.graph.studied.figure import Report
from visit.studies.folder import StudyFolder
from visit.studies.loading import find_kind
from visit.studies.manifest import Manifest
from visit.studies.reading import read_rows
from visit.studies.study import Study


def report_on(folder: str | Path, study: Study | None = None) -> Report:
    """The report of what a folder holds so far.

    Args:
        folder: Of a study, run to its end or not.
        study: What draws it, of a study that does not come with ``visit``; its options are those
            that it ran with.

    Raises:
        RequestError: the folder is no study's, has no rows yet, or is another version's.
    """
    place = StudyFolder(folder)
    manifest = place.manifest()
    kind = kind_of(manifest) if study is None else type(study)
    if (kind.name, kind.version) != (manifest.study, manifest.study_version):
        raise RequestError(
            f"{place.path} is of the study {manifest.study} in version {manifest.study_version}, "
            f"not {kind.name} in version {kind.version}; run it again into another folder"
        )
    study = kind(**manifest.options)  # as it ran
    rows = read_rows(folder)
    if not len(rows):
        raise RequestError(f"{place.path} holds no rows yet; run the study first")
    return Report(
        study=study.name,
        version=study.version,
        title=study.title or study.name,
        summary=study.summary or (type(study).__doc__ or "").strip().split("\n")[0],
        visit_version=manifest.visit_version,
        model=rows.model,
        prompts=manifest.prompts.name,
        n=len(rows),
        n_failed=rows.n_failed,
        n_left=manifest.prompts.count - len(rows) - rows.n_failed,
        options=manifest.options,
        command=manifest.command,
        figures=tuple(study.report(rows)),
    )


def kind_of(manifest: Manifest) -> type[Study]:
    """The study that a manifest names.

    Raises:
        RequestError: it does not come with ``visit``.
    """
    if manifest.sources:
        raise RequestError(
            f"the study {manifest.study} was read from a file; name that file with --study"
        )
    return find_kind(manifest.study)
