"""Spec and files of the survey of layers."""

from typing import Any

from saegrid.base.digest import file_digest
from saegrid.pages.figures import SURVEY_FIGURES
from saegrid.stages.plan.spec import remembered
from saegrid.stages.plan.verified import VerifiedSpecs

SURVEY = ("layers", "dimensions", "pairs", "passes")
"""Tables of a survey."""


class SurveySpecs(VerifiedSpecs):
    """What the survey looks at: every site of the grid on every corpus in use, or asked for."""

    def survey_corpora(self) -> list[str]:
        """The corpora in use, and those that the config names beside."""
        return list(dict.fromkeys([*self.corpora_used(), *self.study.survey.corpora]))

    def survey_parts(self) -> list[dict[str, Any]]:
        """Corpus, site, files and norm of each part."""
        return [
            {
                "corpus": name,
                "site": str(site),
                "files": [self.activations(name, str(site), shard) for shard in self.shards(name)],
                "normed": self.norm_of(name),
            }
            for name in self.survey_corpora()
            for site in self.sites
        ]

    def survey_inputs(self) -> list[str]:
        """All files that it reads."""
        return [file for part in self.survey_parts() for file in part["files"]]

    @remembered
    def survey_spec(self) -> str:
        """Spec of the survey."""
        captures = [self.capture_spec(name) for name in self.survey_corpora()]
        parts, cut = self.survey_parts(), self.study.survey.cut
        return self.spec("survey", [], captures, parts=parts, cut=cut)

    def topics_parts(self) -> list[dict[str, Any]]:
        """Its corpora, each with the files that tell its texts."""
        parts = []
        for name in self.survey_corpora():
            part: dict[str, Any] = {"corpus": name}
            if self.is_streamed(name):
                part["source"] = self.study.corpora[name].source.model_dump(mode="json")
                part["facts"] = self.store_facts(name, str(self.sites[0]))
                told = self.store_settings(name)
                part["longest"] = told["max_characters"] if told["cut"] == "truncate" else None
            else:
                part["items"] = f"{self.root}/{name}/items.parquet"
            parts.append(part)
        return parts

    def topics_inputs(self) -> list[str]:
        """All files of a study that tell its texts."""
        return [part.get("items") or part["facts"] for part in self.topics_parts()]

    def word_lists(self) -> dict[str, str]:
        """Files of word lists that base rates are told of, by the key that names them."""
        given = {"topics.lists": self.study.topics.lists, "survey.lists": self.study.survey.lists}
        return {key: str(path) for key, path in given.items() if path}

    @remembered
    def base_rates_spec(self) -> str:
        """Spec of how common topics are."""
        used, lists = self.survey_corpora(), self.word_lists()
        return self.spec(
            "base_rates",
            [],
            [self.store_spec(n) if self.is_streamed(n) else self.items_spec(n) for n in used],
            parts=self.topics_parts(),
            lists=list(lists.values()),
            content=[file_digest(self.local_file(key, path)) for key, path in lists.items()],
        )

    def survey_tables(self) -> dict[str, str]:
        """The tables by name; base rates where there are lists of words."""
        names = (*SURVEY, "base_rates") if self.word_lists() else SURVEY
        return {name: f"{self.root}/survey/{name}.parquet" for name in names}

    @remembered
    def survey_page_spec(self) -> str:
        """Spec of the page and the figures."""
        rates = [self.base_rates_spec()] if self.word_lists() else []
        return self.spec(
            "survey_page",
            sorted(SURVEY_FIGURES.values()),
            [self.survey_spec(), *rates],
            study=self.study.study,
            title=self.study.pages.title,
            model=self.study.model.path,
            cut=self.study.survey.cut,
        )

    def survey_targets(self) -> list[str]:
        """Tables, page and figures of the survey; no part of `all`."""
        figures = [f"{self.root}/figures/{name}.svg" for name in sorted(SURVEY_FIGURES)]
        return [*self.survey_tables().values(), f"{self.root}/survey.html", *figures]
