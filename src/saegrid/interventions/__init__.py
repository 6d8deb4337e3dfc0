"""Interventions on a running model by features of its SAEs: edits, generation, what they do."""
