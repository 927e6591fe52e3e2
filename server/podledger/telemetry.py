"""The metrics: their names, labels and buckets, in a registry of their own (operations 19).

Who counts what: `rpc.metering` the calls and exports, `rpc.pods` the ignored query parts,
`store.metering` the store, `probes` what is read when it is asked for. Labels never hold a pod, a
namespace, a principal or a query. docs/operations.md lists all metrics.
"""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""5 ms to 10 s: the budget of a unary call is the last bucket."""
_CALL = ("grpc_type", "grpc_service", "grpc_method")


class Telemetry:
    """Every metric of the process. Make one per process; tests make one each."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        build = self._gauge("podledger_build_info", "Version of the server.", "version")
        build.labels(version("podledger")).set(1)

        self.event_loop_lag_seconds = self._gauge(
            "podledger_event_loop_lag_seconds", "How late the event loop ran what was due, last sample."
        )

        # The names that dashboards made for Go servers know.
        self.started = self._counter("grpc_server_started", "Calls begun.", *_CALL)
        self.handled = self._counter("grpc_server_handled", "Calls ended, by status.", *_CALL, "grpc_code")
        self.received = self._counter("grpc_server_msg_received", "Request messages.", *_CALL)
        self.sent = self._counter("grpc_server_msg_sent", "Response messages handed to a door.", *_CALL)
        self.handling_seconds = self._histogram("grpc_server_handling_seconds", "Time from begin to end.", *_CALL)

        self.exports_in_flight = self._gauge("podledger_exports_in_flight", "Exports that run.", "door")
        self.exports = self._counter("podledger_exports", "Exports ended, by how.", "door", "end")
        self.export_pods = self._counter("podledger_export_pods", "Pods handed to a door by exports.")
        self.export_resumes = self._counter("podledger_export_resumes", "Exports that began after a given pod.")
        self.export_write_wait_seconds = self._histogram(
            "podledger_export_write_wait_seconds", "Time a door took for one batch, most of it waiting for the client."
        )
        self.query_rejected = self._counter("podledger_query_rejected", "Requests refused as invalid.", "reason")
        self.query_ignored_parts = self._counter("podledger_query_ignored_parts", "Query parts without effect.")

        self.store_seconds = self._histogram("podledger_store_seconds", "Time of one store call.", "store", "operation")
        self.store_errors = self._counter("podledger_store_errors", "Store calls that failed.", "store", "kind")
        self.store_free_ratio = self._gauge("podledger_store_free_ratio", "Free part of the store's file system.")
        self.tls_reloads = self._counter(
            "podledger_tls_reload", "New certificates found, by what came of it.", "result"
        )
        self.certificate_expiry = self._gauge(
            "podledger_certificate_expiry_timestamp_seconds", "When a certificate in use expires.", "name"
        )
        self.pods = self._gauge("podledger_pods", "Live pods.", "cluster")
        self.cluster_last_event = self._gauge(
            "podledger_cluster_last_event_timestamp_seconds", "When the store last took a change.", "cluster"
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        """The library adds `_total` to the name."""
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)
