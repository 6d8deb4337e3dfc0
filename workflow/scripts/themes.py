"""Themes: confirmed features that see the same texts, each put to its contrast as one finding."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.study import study_themes

with start(snakemake) as job:
    themes = study_themes(job.input, job.settings)
    print(f"{themes.features.num_rows} confirmed features in {themes.themes.num_rows} themes")
    io.write_table(job.output.themes, themes.themes, job.spec)
    io.write_table(job.output.features_of, themes.features, job.spec)
    io.write_table(job.output.tests, themes.tests, job.spec)
    io.write_table(job.output.figures, themes.figures, job.spec)
