"""PostgreSQL as Prefect's database: a real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from farm import services
from farm.config import ServiceSettings, Settings
from farm.errors import ServiceError
from farm.flows import client, schedules

from .conftest import ROOT
from .postgres import PASSWORD, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services


def _settings(data: Path, address: str) -> Settings:
    return Settings(
        data=data,
        recipes=ROOT / "recipes",
        images=ROOT / "images",
        work_pool="tests",
        services=ServiceSettings(prefect_database=SecretStr(address)),
    )


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Settings]:
    settings = _settings(tmp_path_factory.mktemp("pg"), database)
    try:
        services.up(settings, ["s3", "prefect", "worker"])
        yield settings
    finally:
        services.down(settings)


def _rows(database: str, statement: str) -> list[Any]:
    async def query() -> list[Any]:
        engine = create_async_engine(database)
        try:
            async with engine.connect() as connection:
                return [tuple(row) for row in await connection.execute(text(statement))]
        finally:
            await engine.dispose()

    return asyncio.run(query())


def test_runs_are_kept_in_it_and_outlive_the_server(farm: Settings, database: str) -> None:
    run = client.submit(farm, "python/no-such-package")
    assert client.follow(farm, run.id, lambda _line: None).exit_code == 11
    assert ("python/no-such-package", "FAILED") in _rows(database, "select name, state_type::text from flow_run")
    assert not list((farm.data / "prefect").glob("*.db*"))
    services.down(farm, ["prefect"])
    services.up(farm, ["prefect"])
    assert client.find_run(farm, "python/no-such-package").id == run.id


def test_the_schedule_is_kept_in_it(farm: Settings, database: str) -> None:
    schedules.set_schedule(farm, "17 3 * * *", "Europe/Berlin")
    ((found,),) = _rows(database, "select schedule::text from deployment_schedule")
    assert "17 3 * * *" in found


def test_its_password_is_in_no_argument_file_or_log(farm: Settings) -> None:
    processes = [process for process in psutil.process_iter() if _of(process, farm)]
    assert processes
    assert not [process for process in processes if PASSWORD in " ".join(process.cmdline())]
    files = [path for path in farm.data.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    told = services.status(farm)
    assert PASSWORD not in str(told)


def _of(process: psutil.Process, settings: Settings) -> bool:
    try:
        return str(settings.data) in process.environ().get("PREFECT_HOME", "")
    except psutil.Error:
        return False


def test_a_database_that_refuses_is_told_without_its_password(tmp_path: Path, database: str) -> None:
    settings = _settings(tmp_path, database.replace(PASSWORD, f"wrong-{PASSWORD}"))
    with pytest.raises(ServiceError) as caught:
        services.up(settings, ["prefect"])
    services.down(settings)
    assert "password authentication failed" in caught.value.message
    assert PASSWORD not in caught.value.message
    assert PASSWORD.encode() not in (settings.data / "logs" / "prefect.log").read_bytes()
