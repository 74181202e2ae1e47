"""`python -m farm.trust.signer`: declare the role, load the keys, answer at the socket."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

from farm import log
from farm.errors import ConfigError, FarmError, TrustRootError
from farm.trust import role
from farm.trust.rotation import lost_entries

_LOG = log.get(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run the signer until it is told to stop; return the exit code (that of the error, where there is one)."""
    arguments = _arguments().parse_args(argv)
    log.configure(json=arguments.log_json)
    try:
        _run(arguments)
    except FarmError as error:
        _LOG.error("the signer stops", error=error.message, remedy=error.remedy, exit_code=error.exit_code)
        return error.exit_code
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m farm.trust.signer", description="Farm's signer.")
    parser.add_argument("--data", type=Path, required=True, help="folder of keys, transparency log and open runs")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen at")
    parser.add_argument("--trust-out", type=Path, required=True, help="where to write the public trust configuration")
    parser.add_argument("--namespace", required=True, help="URI prefix of builder ids and of the issuer")
    parser.add_argument("--builder", required=True, help="name of the builder mode")
    parser.add_argument("--token-seconds", type=int, default=7200, help="life of a run's token")
    parser.add_argument("--log-json", action="store_true", help="log as JSON lines")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    role.declare_signer()
    # Only now, since these lead to the key code, which asks for the role when it is imported.
    from farm.trust.signer import server  # noqa: PLC0415 - the role is declared first
    from farm.trust.signer.compose import compose, has_keys  # noqa: PLC0415 - the same

    if arguments.token_seconds < 1:
        raise ConfigError(f"--token-seconds must be positive, not {arguments.token_seconds}")
    server.harden()
    with server.lock_folder(arguments.data):
        if not has_keys(arguments.data) and arguments.trust_out.exists():
            raise _other_keys(arguments, f"the signer's keys are not in {arguments.data}, {arguments.trust_out} exists")
        app, trust_config = compose(
            arguments.data,
            namespace=arguments.namespace,
            host=_host(arguments.namespace),
            builder=arguments.builder,
            token_seconds=arguments.token_seconds,
        )
        public = json.dumps(trust_config, indent=1, sort_keys=True).encode() + b"\n"
        _check_replaces(arguments, public)
        listener = server.listen(arguments.socket)
        server.write_public(arguments.trust_out, public)
        _LOG.info("the signer listens", socket=str(arguments.socket), builder=arguments.builder)
        server.serve(app, listener, arguments.socket)


def _check_replaces(arguments: argparse.Namespace, public: bytes) -> None:
    """Refuse to drop keys from the public trust configuration: the files that they signed would not verify any more."""
    try:
        lost = lost_entries(arguments.trust_out.read_bytes(), public)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrustRootError(f"{arguments.trust_out} cannot be read: {error.strerror}") from error
    if lost:
        raise _other_keys(arguments, f"{arguments.trust_out} has keys that {arguments.data} lacks ({', '.join(lost)})")


def _other_keys(arguments: argparse.Namespace, message: str) -> TrustRootError:
    return TrustRootError(
        message,
        remedy=(
            f"Restore {arguments.data} as a whole from its backup. To begin a new farm, whose consumers need a new "
            f"trust configuration and none of whose old files verify, remove {arguments.trust_out} on purpose."
        ),
    )


def _host(namespace: str) -> str:
    host = urlsplit(namespace).hostname
    if not host or not namespace.startswith("https://"):
        raise ConfigError(f"the namespace {namespace!r} is not an https URI with a host name")
    return host


if __name__ == "__main__":
    sys.exit(main())
