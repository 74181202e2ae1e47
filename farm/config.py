"""Settings: `farm.toml` (found upward from the working folder, or `FARM_CONFIG`) overridden by `FARM_*` variables.

Nested settings use a double underscore in variables: `FARM_S3__ENDPOINT=…`. Relative paths are relative to the folder
that holds `farm.toml` (else the working folder).
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from farm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CatalogSettings",
    "HookSettings",
    "PolicySettings",
    "S3Settings",
    "SandboxSettings",
    "ServiceSettings",
    "Settings",
    "TrustSettings",
    "find_config",
    "load_settings",
]


_PREFIX = "FARM_"
_NO_SETTINGS = frozenset({"FARM_CONFIG", "FARM_NO_INSTALL", "FARM_SERVICE_MARK"})
"""Variables that are read elsewhere: where farm.toml is, what set-up may do, which service a process belongs to."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class S3Settings(_Section):
    """The object store. Without `endpoint` the embedded server of `farm up` is used, with keys made on first start."""

    endpoint: str = ""
    """Address of an S3 service; empty = the embedded one."""
    access_key: SecretStr = SecretStr("")
    """Access key id."""
    secret_key: SecretStr = SecretStr("")
    """Secret key."""
    region: str = "us-east-1"
    """Region that requests are signed for."""
    vault_bucket: str = "farm-vault"
    """Bucket of the content-addressed store."""
    repository_bucket: str = "farm-repository"
    """Bucket that consumers read through the index."""


class SandboxSettings(_Section):
    """How foreign code is run."""

    runtime: str = ""
    """OCI runtime by the name Docker knows (`runsc`, set up with `--host-uds=open`); empty = the engine's default."""
    docker_host: str = ""
    """Engine address; empty = DOCKER_HOST or the default socket."""
    max_time_seconds: int = Field(default=2100, ge=1)
    """Most that a recipe's `limits.time_seconds` may be; three such runs must fit into `trust.token_seconds`."""
    max_memory_mb: int = Field(default=16384, ge=32)
    """Most that a recipe's `limits.memory_mb` may be."""
    max_disk_mb: int = Field(default=16384, ge=1)
    """Most that a recipe's `limits.disk_mb` may be; what is written is held in memory."""
    max_output_mb: int = Field(default=4096, ge=1)
    """Most that a recipe's `limits.output_mb` may be."""
    max_pids: int = Field(default=4096, ge=8)
    """Most that a recipe's `limits.pids` may be."""
    max_cpus: float = Field(default=16.0, gt=0)
    """Most that a recipe's `limits.cpus` may be."""


class TrustSettings(_Section):
    """Identities and the trust root."""

    namespace: str = "https://farm.internal"
    """URI prefix of builder ids, build types and the embedded issuer."""
    trust_config: Path | None = None
    """Sigstore client trust configuration; none = the embedded instance's."""
    builder: str = "workstation"
    """Name of the builder mode; part of `builder.id`."""
    token_seconds: int = Field(default=7200, ge=60)
    """Life of a run's token, from before the build until it is signed: build, platform tag and test, and 900 s more."""


class CatalogSettings(_Section):
    """Rebuilding the catalog, each night and when it is asked for."""

    schedule: str = "0 2 * * *"
    """When the nightly rebuild begins, as cron has it; holds until `farm schedule` or the Prefect UI changes it."""
    timezone: str = "UTC"
    """Time zone of the schedule (IANA name)."""
    cpus: float = Field(default=0.0, ge=0)
    """Processors for builds that run side by side; 0 = all of this host."""
    memory_mb: int = Field(default=0, ge=0)
    """Memory for them, in MiB; 0 = three quarters of this host's."""
    reverify_days: int = Field(default=30, ge=1)
    """Within how many nights every package is rebuilt from nothing once and compared."""


class PolicySettings(_Section):
    """What a build may take, and how soon."""

    cooldown_days: int = Field(default=7, ge=0)
    """Days that a release must have been out before it is proposed; 0 = none."""
    inputs: Literal["rebuilt-first", "rebuilt-only", "locked"] = "rebuilt-first"
    """What builds read: farm's own results where there are any (`rebuilt-first`), nothing else (`rebuilt-only`), or
    what the locks name (`locked`)."""


class HookSettings(_Section):
    """Who is told when packages failed or drifted. Each gets the report as JSON."""

    command: tuple[str, ...] = ()
    """Program and arguments; it reads the report on stdin. Its environment is an allow-list."""
    webhook: SecretStr = SecretStr("")
    """Address that the report is posted to (http or https)."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    """How long each of them may take."""

    @field_validator("webhook")
    @classmethod
    def _is_web(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith(("http://", "https://")):
            msg = "begins with neither http:// nor https://"  # the address itself is a secret
            raise ValueError(msg)
        return value


class ServiceSettings(_Section):
    """Listening ports of the embedded services on loopback; 0 = a free one is chosen on first start and kept."""

    prefect_port: int = 0
    """Prefect server and UI."""
    s3_port: int = 0
    """Object store."""
    index_port: int = 0
    """Package index."""
    prefect_database: SecretStr = SecretStr("")
    """PostgreSQL database of the Prefect server, `postgresql+asyncpg://user:password@host/name`; empty = SQLite."""

    @field_validator("prefect_database")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith("postgresql+asyncpg://"):
            msg = "does not begin with postgresql+asyncpg://"  # the address itself is a secret
            raise ValueError(msg)
        return value


class Settings(BaseSettings):
    """All settings of farm."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data: Path = Path(".farm")
    """Everything that farm keeps on this host."""
    recipes: Path = Path("recipes")
    """Folder of the recipes."""
    images: Path = Path("images")
    """Folder of the image definitions."""
    python_index: str = ""
    """Upstream Python index (simple API). Empty = the one pip or uv is configured with."""
    cargo_registry: str = ""
    """Where crates are downloaded, as a registry's `dl` says it. Empty = the registry that Cargo is configured with."""
    maven_settings: Path | None = None
    """Maven settings.xml to read instead of ~/.m2/settings.xml."""
    maven_repository: str = ""
    """Upstream Maven repository. Empty = the ones that Maven's settings name."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Extra `insteadOf` for git sources: URL prefix → replacement (a relative path is relative to farm.toml)."""
    work_pool: str = "farm-linux-amd64"
    """Prefect work pool that builds go to: one per platform."""
    worker: str = "farm"
    """Name of this host's worker in the work pool; where several hosts share a Prefect server, each has its own."""
    s3: S3Settings = S3Settings()
    """Object store."""
    sandbox: SandboxSettings = SandboxSettings()
    """Sandbox."""
    trust: TrustSettings = TrustSettings()
    """Trust."""
    catalog: CatalogSettings = CatalogSettings()
    """Catalog."""
    policy: PolicySettings = PolicySettings()
    """Policy."""
    hooks: HookSettings = HookSettings()
    """Hooks."""
    services: ServiceSettings = ServiceSettings()
    """Embedded services."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of sources: arguments, FARM_* variables, farm.toml."""
        del dotenv_settings, file_secret_settings
        found = find_config()
        toml = (TomlConfigSettingsSource(settings_cls, found),) if found else ()
        return (init_settings, env_settings, *toml)

    @property
    def run_dir(self) -> Path:
        """Folder of pid files, ports and sockets."""
        return self.data / "run"

    @property
    def signer_socket(self) -> Path:
        """The signer's Unix socket."""
        return self.run_dir / "signer.sock"

    @property
    def trust_config_path(self) -> Path:
        """The client trust configuration that consumers and the publisher use."""
        return self.trust.trust_config or self.data / "trust" / "trust_config.json"

    @property
    def builder_id(self) -> str:
        """`builder.id` of provenance and the identity in signing certificates."""
        return f"{self.trust.namespace}/builders/{self.trust.builder}/v1"


def find_config(start: Path | None = None) -> Path | None:
    """Return the farm.toml that applies: `FARM_CONFIG`, else the nearest one upward from `start` (default: here)."""
    named = os.environ.get("FARM_CONFIG")
    if named:
        path = Path(named).absolute()
        if not path.is_file():
            msg = f"FARM_CONFIG names {path}, which is not a file"
            raise ConfigError(msg)
        return path
    here = (start or Path.cwd()).absolute()
    return next((d / "farm.toml" for d in (here, *here.parents) if (d / "farm.toml").is_file()), None)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; relative paths come back absolute.

    Raises:
        ConfigError: unreadable TOML, unknown key or variable, wrong type; the message names each.
    """
    _check_variables()
    found = find_config()
    base = found.parent if found else Path.cwd()
    try:
        raw = Settings(**overrides)
    except (ValidationError, ValueError) as error:
        raise ConfigError(_explain(error, found)) from error

    def absolute(path: Path) -> Path:
        return path if path.is_absolute() else base / path

    update: dict[str, Any] = {key: absolute(getattr(raw, key)) for key in ("data", "recipes", "images")}
    if raw.maven_settings is not None:
        update["maven_settings"] = absolute(raw.maven_settings)
    if raw.trust.trust_config is not None:
        update["trust"] = raw.trust.model_copy(update={"trust_config": absolute(raw.trust.trust_config)})
    update["sources"] = {k: v if "://" in v else str(absolute(Path(v))) for k, v in raw.sources.items()}
    return raw.model_copy(update=update)


def _check_variables() -> None:
    """Refuse variables that name no setting: a typo must not leave a default in force.

    Raises:
        ConfigError: with the nearest known name of each.
    """
    known = {*_variables(Settings, _PREFIX), *_NO_SETTINGS}
    wrong = []
    for name in sorted(os.environ):
        upper = name.upper()  # as the settings are read: case does not matter
        if not upper.startswith(_PREFIX) or upper in known:
            continue
        near = difflib.get_close_matches(upper, sorted(known), n=1)
        wrong.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    if wrong:
        raise ConfigError(". ".join(wrong))


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Return the variables of a model's settings; a section can also be given as a whole, in JSON."""
    for name, field in model.model_fields.items():
        variable = prefix + name.upper()
        yield variable
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{variable}__")


def _explain(error: Exception, found: Path | None) -> str:
    if isinstance(error, ValidationError):
        parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return f"settings ({found or 'no farm.toml'}): " + "; ".join(parts)
    return f"settings ({found or 'no farm.toml'}): {error}"
