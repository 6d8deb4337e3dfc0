"""What is verified before a study with checkpoints goes on, and the spec of that."""

from saegrid.base.digest import file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.registry import lookup
from saegrid.base.words import Cell
from saegrid.config.models import Study
from saegrid.stages.plan.cells import CellSpecs
from saegrid.stages.plan.spec import remembered
from saegrid.verify.expected import Expected, read


class VerifiedSpecs(CellSpecs):
    """Which known numbers apply to a study, and the spec of their verification."""

    def __init__(self, study: Study, *more: object) -> None:
        super().__init__(study, *more)
        # The golden sentence's SAE may stand outside the grid: it is imported like those within.
        named = {Cell.parse(cell).sae for cell in self._golden_cells()}
        self.imported = sorted({*self.imported, *named})

    @remembered
    def expected(self) -> Expected:
        """The known numbers that the config names; none where it names no file."""
        path = self.study.verify.expected
        if path is None or not self.imported:
            return Expected()
        try:
            return read(self.local_file("verify.expected", path))
        except ConfigError:
            raise
        except ValueError as problem:
            raise ConfigError(f"verify.expected: {problem}") from None

    def _golden_cells(self) -> list[str]:
        """Cells of the golden sentences whose SAE is a checkpoint of the catalogue."""
        verify = self.study.verify
        if verify.expected is None or not verify.golden:
            return []
        saes = self.study.saes
        return sorted(
            golden.cell
            for golden in self.expected().golden
            if (sae := saes.get(Cell.parse(golden.cell).sae)) and sae.source == "checkpoint"
        )

    def verified_cells(self, what: str) -> list[str]:
        """Cells whose SAEs are read for the `golden` sentence, or for their `decoder`."""
        if what == "golden":
            return self._golden_cells()
        known = self.expected().decoder_top3
        in_grid = {str(cell) for cell in self.cells if cell.sae in self.imported}
        wanted = known is not None and self.study.verify.decoder
        return sorted(in_grid & set(known.value)) if wanted else []

    def verified_norms(self) -> list[str]:
        """Sites of the grid whose norms are known."""
        norms = self.expected().norms
        if norms is None or not self.study.verify.norms:
            return []
        return [str(site) for site in self.sites if norms.at(site) is not None]

    def verified_saes(self) -> list[str]:
        """Cells whose SAEs are read, each once."""
        return sorted({*self.verified_cells("golden"), *self.verified_cells("decoder")})

    @remembered
    def verify_spec(self) -> str:
        """Spec of the verification: the numbers, the checkpoints, the model, the sampled text."""
        imports = {cell: self._verified_import(cell) for cell in self.verified_saes()}
        norms = self.verified_norms()
        if not (imports or norms):
            return self.spec("verify_checkpoint", [], [], expected=None)
        path = str(self.study.verify.expected)
        formats = {self.checkpoint(cell)["format"] for cell in imports}
        readers = [lookup("saegrid.saes.formats:FORMATS", name, "format") for name in formats]
        return self.spec(
            "verify_checkpoint",
            [*self.family_code(), *sorted(readers)],
            [*imports.values(), *([self.tokens_spec(self.main)] if norms else [])],
            expected=path,
            content=file_digest(self.local_file("verify.expected", path)),
            golden=self.verified_cells("golden"),
            decoder=self.verified_cells("decoder"),
            norms=norms,
            model=self.study.model.model_dump(mode="json"),
            identity=self.model_identity(),
            threads=self.study.threads.capture,
        )

    def _verified_import(self, cell: str) -> str:
        """Spec of an SAE's import; one outside the grid may well not have been fetched."""
        try:
            return self.import_spec(cell)
        except ConfigError as problem:
            if cell in map(str, self.cells):
                raise
            raise ConfigError(
                f"verify.golden: the published sentence needs the SAE of {cell}, which is not on "
                f"the grid. {problem} Get it too, or set `verify: {{golden: false}}`."
            ) from None
