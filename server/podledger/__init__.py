"""podledger: every pod of every Kubernetes cluster, served as `v1.PodService`.

What comes in: files and live clusters (`ingest`). What is kept: pods, workloads and finished runs
(`store`). What goes out: gRPC and REST answers (`rpc`, and the package `podledger_gateway`).
"""
