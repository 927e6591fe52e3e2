"""Whatever a test does to the doors, neither grpcio nor the event loop may complain."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet_libraries(caplog):
    yield
    loud = [
        record
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR and record.name.startswith(("grpc", "asyncio"))
    ]

    assert [record.getMessage() for record in loud] == []
