"""Prefect: the flow that builds a package, its deployment, its worker, and the client that submits and follows runs."""
