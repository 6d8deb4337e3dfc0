"""Results in the forms of others: dashboards as Neuronpedia reads them, tables in one file."""
