"""Spec and files of the survey of layers."""

from typing import Any

from saegrid.plan.spec import remembered
from saegrid.plan.verified import VerifiedSpecs

SURVEY = ("layers", "dimensions", "pairs")
"""Tables of a survey."""


class SurveySpecs(VerifiedSpecs):
    """What the survey looks at: every site of the grid on every corpus in use."""

    def survey_parts(self) -> list[dict[str, Any]]:
        """Corpus, site and files of each part."""
        return [
            {
                "corpus": name,
                "site": str(site),
                "files": [self.activations(name, str(site), shard) for shard in self.shards(name)],
            }
            for name in self.corpora_used()
            for site in self.sites
        ]

    def survey_inputs(self) -> list[str]:
        """All files that it reads."""
        return [file for part in self.survey_parts() for file in part["files"]]

    @remembered
    def survey_spec(self) -> str:
        """Spec of the survey."""
        captures = [self.capture_spec(name) for name in self.corpora_used()]
        parts, cut = self.survey_parts(), self.study.survey.cut
        return self.spec("survey", [], captures, parts=parts, cut=cut)

    def survey_targets(self) -> list[str]:
        """Tables of the survey; no part of `all`."""
        return [f"{self.root}/survey/{name}.parquet" for name in SURVEY]
