"""The tree ``master`` of upstream.toml: what the bundle promises holds there, too, so that a lift finds no surprise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import LOGIN, PREJOIN, SERVERS, Visit, Xmpp, join, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
PROBLEM = '[data-testid="personal-login.problem"]:not(:empty)'


def test_only_a_person_with_a_login_gets_into_a_meeting_and_no_third_party_hears_of_it(
    visit: Callable[..., Visit], configure: Callable[..., None], xmpp: Xmpp
) -> None:
    configure(**SERVERS)
    seen = visit("master", ROOM, login=False)
    seen.wait_for(LOGIN)
    sign_in(seen.page, password="wrong")
    seen.wait_for(PROBLEM)
    assert xmpp.accounts == []
    assert seen.page.locator(PREJOIN).count() == 0

    sign_in(seen.page)
    seen.wait_for(PREJOIN)
    seen.page.fill("#premeeting-name-input", "Ada")
    join(seen.page)
    assert {account.partition("@")[0] for account in xmpp.accounts} == {"alice"}
    assert seen.foreign == []


def test_the_welcome_page_asks_no_third_party_for_anything(visit: Callable[..., Visit]) -> None:
    seen = visit("master", "/")
    seen.wait_for("#enter_room_field")
    seen.come_to_rest()
    assert seen.foreign == []
    assert seen.errors == []
