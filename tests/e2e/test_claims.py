"""The types of what a token claims. 'unpatched' is the control."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hardener.proof.xmpp.stub import Door

from .test_login import _token as unsigned_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Visit, Xmpp

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

ROOM = "/HardenerTestRoom"
PREJOIN = '[data-testid="prejoin.joinMeeting"]'
USER = ("avatar", "avatarUrl", "email", "hidden-from-recorder", "id", "name", "role")
CLAIMS = (
    *(f"context.user.{name}" for name in USER),
    *(f"context.callee.{name}" for name in ("avatar", "id", "name")),
    *(f"context.{name}" for name in ("callee", "features", "group", "server", "tenant", "user")),
    *(f"context.features.{name}" for name in ("recording", "flip", "__proto__")),
    *("aud", "context", "email", "exp", "iat", "iss", "jti", "kid", "name", "nbf", "picture", "room", "sub"),
    *("__proto__", "constructor", "toString"),
)
# As JSON, for Python writes neither "__proto__" as a key of its own nor half of a surrogate pair.
WRONG = (
    '["https://pic.invalid/a"]',
    '{"a":1}',
    '{"toString":1,"valueOf":1}',
    '{"__proto__":{"toString":1}}',
    "[]",
    "{}",
    "0",
    "-1",
    "1e400",
    "true",
    "null",
    '"\\ud800"',
    '"\\u0000\\u0001"',
    json.dumps("x" * 200_000),
)

# Hands each token to the page as upstream does with that of an address, and looks at what becomes of it. Stops when
# the page is empty.
HAND_OVER = """async ([ claims, wrong, shape ]) => {
    const part = text => {
        const bytes = new TextEncoder().encode(text);
        return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
            .replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, '');
    };
    const put = (path, json) => {
        const [ first, ...rest ] = path.split('.');
        return `{${JSON.stringify(first)}:${rest.length ? put(rest.join('.'), json) : json}}`;
    };
    const bad = [];
    const textual = [ 'avatarURL', 'email', 'name', 'id', 'jwtId' ];

    for (const path of claims) {
        for (const json of wrong) {
            const jwt = `${part('{"alg":"HS256"}')}.${part(put(path, json))}.c2ln`;
            let thrown = '';

            try {
                APP.store.dispatch({ type: 'SET_JWT', jwt });
            } catch (error) {
                thrown = String(error);
            }
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);

            const { local } = APP.store.getState()['features/base/participants'];
            const { callee, group, tenant, user } = APP.store.getState()['features/base/jwt'];
            const values = [ ...textual.map(key => local[key]), callee?.name, group, tenant, user?.name, user?.email ];
            const features = Object.values(local.features ?? {});

            if (!document.querySelector(shape)) {
                return { bad, emptied: path };
            }
            if (thrown || values.some(value => value !== undefined && typeof value !== 'string')
                    || values.some(value => value?.length > 150000 || /[\\ud800-\\udfff\\0-\\x1f]/.test(value ?? ''))
                    || features.some(value => ![ true, false, 'true', 'false' ].includes(value))) {
                bad.push(`${path}: ${json.slice(0, 40)}: ${thrown}`);
            }

            // The next one starts from a participant who has nothing of this one.
            APP.store.dispatch({ type: 'PARTICIPANT_UPDATED', participant: { id: local.id, local: true,
                avatarURL: undefined, email: undefined, name: undefined, jwtId: undefined, features: undefined } });
        }
    }
    return { bad, emptied: '' };
}"""


def _hand_over(visit: Callable[..., Visit], variant: str, claims: tuple[str, ...]) -> Any:
    # Without a picture of the camera, so that the avatar is to be seen.
    seen = visit(variant, f"{ROOM}?jwt={unsigned_token()}#config.startWithVideoMuted=true", login=False)
    seen.wait_for(PREJOIN)
    seen.page.wait_for_selector(".premeeting-screen-avatar", state="attached")
    return seen.page.evaluate(HAND_OVER, [claims, WRONG, PREJOIN])


@pytest.fixture
def token_mode(xmpp: Xmpp, configure: Callable[..., None]) -> None:
    """People log in with tokens, and the server takes all of them; what a token says of them may be beside the
    context.
    """
    xmpp.door = Door(("ANONYMOUS",))
    configure(personalLogin={"mode": "token"}, tokenGetUserInfoOutOfContext=True, hosts={"domain": "127.0.0.1"})


@pytest.mark.usefixtures("token_mode")
def test_no_claim_of_a_wrong_type_empties_the_page(visit: Callable[..., Visit]) -> None:
    """Each claim with each wrong value. Upstream's page is empty after the first picture that is not a text."""
    assert _hand_over(visit, "unpatched", ("picture",))["emptied"] == "picture"

    assert _hand_over(visit, "hardened", CLAIMS) == {"bad": [], "emptied": ""}


@pytest.mark.usefixtures("token_mode")
def test_a_number_names_a_user_and_a_dropped_claim_is_named(visit: Callable[..., Visit]) -> None:
    """Services that count their users write numbers. What has a wrong type does not count, and the console says so."""
    seen = visit("hardened", f"{ROOM}?jwt={unsigned_token()}", login=False)
    seen.wait_for(PREJOIN)
    said: list[str] = []
    seen.page.on("console", lambda message: said.append(message.text))
    claims = {
        "context": {"user": {"id": 42, "name": 7, "email": None, "role": ["owner"]}, "group": 3, "tenant": {"a": 1}}
    }
    jwt = seen.page.evaluate("claims => `e30.${btoa(JSON.stringify(claims))}.c2ln`", claims)
    found = seen.page.evaluate(
        """jwt => {
            APP.store.dispatch({ type: 'SET_JWT', jwt });
            const { group, tenant, user } = APP.store.getState()['features/base/jwt'];
            return [ user.id, user.name, group, tenant ?? null ];
        }""",
        jwt,
    )

    assert found == ["42", "7", "3", None]
    seen.wait_until(lambda: any("context.user.role" in text for text in said), "a word about the role")
    assert [any(name in text for text in said) for name in ("context.tenant", "context.user.email")] == [True, False]
