from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from kerasviz.service.middleware import login_throttle
from kerasviz.service.middleware.login_throttle import FREE, KNOWN, LONGEST, MEMORY, LoginThrottle

TOKEN = "a-long-token-of-letters"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(
    throttle: LoginThrottle, clock: Clock, count: int, address: str = "192.0.2.1"
) -> list[int]:
    """Return what each wrong token of a series costs, when every wait is kept to."""
    waited = []
    for _ in range(count):
        throttle.add_wrong(address)
        waited.append(throttle.seconds_left(address))
        clock.now += waited[-1]
    return waited


def test_waits_double_after_the_first_until_the_most() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    assert waits(throttle, clock, FREE + 4) == [0] * FREE + [1, 2, 4, 8]
    assert max(waits(throttle, clock, 40)) == LONGEST
    assert throttle.seconds_left("192.0.2.2") == 0, "others do not wait"


def test_the_right_token_and_time_make_good() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    waits(throttle, clock, FREE + 2)
    throttle.clear("192.0.2.1")
    assert waits(throttle, clock, FREE + 1) == [0] * FREE + [1]
    clock.now += MEMORY + 1
    assert waits(throttle, clock, 1) == [0]


def test_addresses_of_one_network_are_one_client() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for k in range(FREE + 1):
        throttle.add_wrong(f"2001:db8::{k}")
    assert (
        throttle.seconds_left("2001:db8::ffff") == 1
        and throttle.seconds_left("2001:db8:0:1::") == 0
    )
    for _ in range(FREE + 1):
        throttle.add_wrong("::ffff:192.0.2.7")
    assert throttle.seconds_left("192.0.2.7") == 1


def test_not_more_clients_are_remembered_than_there_is_room_for() -> None:
    throttle = LoginThrottle(Clock())
    for k in range(KNOWN + 5):
        throttle.add_wrong(f"client {k}")
    assert len(throttle._wrong) == KNOWN
    assert login_throttle._client("client 3") not in throttle._wrong


def test_a_browser_waits_too(served: Callable[..., TestClient]) -> None:
    client = served(token=TOKEN)
    for _ in range(FREE + 1):
        assert client.post("/api/session", json={"token": "wrong"}).status_code == 401
    throttle = client.post("/api/session", json={"token": TOKEN})
    assert throttle.status_code == 429 and int(throttle.headers["retry-after"]) >= 1
    assert "token" in throttle.json()["error"]
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/api/renders", headers=bearer).status_code == 429, "there, too"
