"""A config that is proposed from a look at a model, SAEs and texts.

`places` says where things lie, `texts`, `models` and `saes` look at each of the three, `study` puts
the config together and has it checked, `written` writes it with a reason beside each line.
"""
