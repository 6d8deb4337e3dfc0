"""Linear probes of two classes, one file each; a new one is a file and a line here."""

LINEAR: dict[str, str] = {
    "svm_published": "saegrid.evidence.probes.linear.svm_published:METHOD",
    "svm": "saegrid.evidence.probes.linear.svm:METHOD",
    "l2": "saegrid.evidence.probes.linear.l2:METHOD",
    "l1": "saegrid.evidence.probes.linear.l1:METHOD",
    "elastic_net": "saegrid.evidence.probes.linear.elastic_net:METHOD",
    "difference": "saegrid.evidence.probes.linear.difference:METHOD",
    "unpenalised": "saegrid.evidence.probes.linear.unpenalised:METHOD",
}
"""Linear probes by name, each a `saegrid.evidence.probes.linear.method.Method`."""
