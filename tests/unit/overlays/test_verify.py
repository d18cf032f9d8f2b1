"""How the page asks a server about a login, and when it stops waiting (verify.ts and rejoin.ts), with a clock of our own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.system import node
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[3] / "overlays/jitsi-meet/react/features/personal-login"
IMPORTS = re.compile(r"^import [^;]*;\n", re.MULTILINE)
# Both modules beside what they import: a library whose connections follow a plan, and a clock that a test moves.
WORLD = """
import { readFileSync } from 'node:fs';
import { mock } from 'node:test';
mock.timers.enable({ apis: [ 'setTimeout' ] });
const said: string[] = [];
let now = 0;
let plans: any = {};
const say = (text: string) => said.push(`${now / 1000} ${text}`);
const JitsiConferenceErrors: any = {};
const JitsiConnectionErrors: any = { OTHER_ERROR: 'other', PASSWORD_REQUIRED: 'password' };
const JitsiConnectionEvents = { CONNECTION_DISCONNECTED: 'd', CONNECTION_ESTABLISHED: 'e', CONNECTION_FAILED: 'f' };
const constructOptions = (state: any) => state['features/base/config'];
const fetchWithin = async () => ({ status: 400 });
class Connection {
    way: string;
    plan: any;
    listeners: any = {};
    refusal = '';
    socket = new EventTarget();
    strophe: any = { _proto: { socket: this.socket } };
    xmpp = { connection: { _stropheConn: this.strophe, getLastFailedMessage: () => this.refusal } };
    constructor(_id: any, _token: any, { preferBosh }: any) {
        this.way = preferBosh ? 'BOSH' : 'WebSocket';
        this.plan = plans[this.way] ?? { steps: {} };
    }
    addEventListener(name: string, listener: any) {
        this.listeners[name] = listener;
    }
    getJid() {
        return 'alice@meet.test/r';
    }
    connect() {
        say(`${this.way} opens`);
        Object.entries(this.plan.steps).forEach(([ step, seconds ]) => setTimeout(() => this.step(step), Number(seconds) * 1000));
    }
    step(step: string) {
        if (step === 'login' && this.strophe.do_authentication !== false) {
            say(`${this.way} sends the login`);
            this.strophe._sasl_mechanism = {};
        }
        this.refusal = step === 'refused' ? '<not-authorized/>' : step === 'directory down' ? '<temporary-auth-failure/>' : '';
        step === 'accepted' && this.listeners.e();
        step === 'lost' && this.listeners.f('dropped');
        [ 'directory down', 'refused', 'unproven' ].includes(step) && this.listeners.f('password');
    }
    disconnect() {
        say(`${this.way} closes`);
        setTimeout(() => {
            say(`${this.way} is closed`);
            this.socket.dispatchEvent(new Event('close'));
        }, 1000 * (this.plan.closing ?? 0.1));
        return Promise.resolve();
    }
}
const JitsiMeetJS = { JitsiConnection: Connection };
const settle = () => new Promise(resolve => setImmediate(resolve));
async function pass(seconds: number, until = () => false) {
    for (const end = now + (1000 * seconds); now < end && !until();) {
        await settle();
        now += 100;
        mock.timers.tick(100);
    }
    await settle();
}
const config = (keys: any) => ({ 'features/base/config': { bosh: 'https://meet.test/http-bind',
    websocket: 'wss://meet.test/xmpp-websocket', ...keys } });
"""
VERIFY = """
const { keys, abort, ...given } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
plans = given;
const controller = new AbortController();
abort && setTimeout(() => controller.abort(), abort * 1000);
let ended = false;
const end = (result: string) => {
    ended = true;
    say(result);
};
verify(config(keys) as any, { domain: 'meet.test', id: 'alice', password: 'pw' }, controller.signal)
    .then(bosh => end(`accepted over ${bosh ? 'BOSH' : 'WebSocket'}`), end);
await pass(200, () => ended);
await pass(70); // nothing comes later
console.log(JSON.stringify(said));
"""
REJOIN = """
const window: any = new EventTarget();
const getLogin = () => ({ domain: 'meet.test', id: 'alice', mode: 'password', password: 'pw' });
const isUsableAtServer = async () => true;
const isPrejoinPageVisible = () => false;
const [ updateConfig, conferenceWillInit, connect ] = [ () => 0, () => 0, () => 0 ] as any[];
const [ destroyLocalTracks, createAndAddInitialAVTracks, gumPending, hasAvailableDevices ] = [ () => 0, () => 0, () => 0, () => 0 ] as any[];
const [ MEDIA_TYPE, IGUMPendingState ]: any[] = [ {}, {} ];
"""
HANG_UP = """
Math.random = () => 1;
plans = { BOSH: { steps: { lost: 0.1 } }, WebSocket: { steps: { lost: 0.1 } } };
startWaiting(JitsiConnectionErrors.OTHER_ERROR);
const state: any = { ...config({}), 'features/base/jwt': {} };
rejoin(new Connection(0, 0, {}), () => 0)((() => Promise.resolve()) as any, () => state);
await pass(SECONDS);
const asked = said.length;
const before = _running;
setLeaving(true);
await pass(3);
console.log(JSON.stringify([ before, _running, said.slice(asked).filter(text => text.endsWith('opens')) ]));
"""


def _text(name: str) -> str:
    text = IMPORTS.sub("", (FOLDER / name).read_text("utf-8"))
    return re.sub(r"^export (?=(async )?(function|const|type))", "", text, flags=re.MULTILINE)


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., Any]:
    """Run TypeScript in Node, which takes the types out."""

    def call(*parts: str, job: Any = None) -> Any:
        (tmp_path / "main.mts").write_text("".join(parts), "utf-8")
        (tmp_path / "job.json").write_text(json.dumps(job))
        done = run([node.home() / "bin" / "node", tmp_path / "main.mts", tmp_path / "job.json"])
        assert not done.status, done.complaint
        return json.loads(done.stdout)

    return call


# What the server does on a connection, by second; what the page does then.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "accepted": (
        {"WebSocket": {"steps": {"login": 1, "accepted": 2}}},
        ["1 WebSocket sends the login", "2 WebSocket closes", "2.1 WebSocket is closed", "2.1 accepted over WebSocket"],
    ),
    "refused, and not asked again": (
        {"WebSocket": {"steps": {"login": 1, "refused": 2}}},
        ["1 WebSocket sends the login", "2 WebSocket closes", "2.1 WebSocket is closed", "2.1 refused"],
    ),
    "no proof of the server": (
        {"WebSocket": {"steps": {"login": 1, "unproven": 2}}},
        ["1 WebSocket sends the login", "2 WebSocket closes", "2.1 WebSocket is closed", "2.1 unsupported"],
    ),
    "a directory that is down": (
        {"WebSocket": {"steps": {"login": 1, "directory down": 20}}},
        ["1 WebSocket sends the login", "20 WebSocket closes", "20.1 WebSocket is closed", "20.1 undecided"],
    ),
    "a directory that is slow": (
        {"WebSocket": {"steps": {"login": 1, "accepted": 45}}},
        [
            "1 WebSocket sends the login",
            "45 WebSocket closes",
            "45.1 WebSocket is closed",
            "45.1 accepted over WebSocket",
        ],
    ),
    "a directory that hangs": (
        {"WebSocket": {"steps": {"login": 5}}},
        ["5 WebSocket sends the login", "46 WebSocket closes", "46.1 WebSocket is closed", "46.1 undecided"],
    ),
    "a connection that is lost with the login": (
        {"WebSocket": {"steps": {"login": 1, "lost": 9}}},
        ["1 WebSocket sends the login", "9 WebSocket closes", "9.1 WebSocket is closed", "9.1 unreachable"],
    ),
    "no login until the end of patience": (
        {"WebSocket": {"steps": {"login": 6.5}, "closing": 1}, "BOSH": {"steps": {"login": 1, "accepted": 30}}},
        [
            *("6 WebSocket closes", "7 WebSocket is closed", "7 BOSH opens", "8 BOSH sends the login"),
            *("37 BOSH closes", "37.1 BOSH is closed", "37.1 accepted over BOSH"),
        ],
    ),
    "a connection that does not close": (
        {"WebSocket": {"steps": {}, "closing": 99}, "BOSH": {"steps": {"login": 1, "refused": 2}}},
        [
            *("6 WebSocket closes", "8 BOSH opens", "9 BOSH sends the login", "10 BOSH closes", "10.1 BOSH is closed"),
            "10.1 refused",
        ],
    ),
    "refused at once": (
        {"WebSocket": {"steps": {"lost": 0.5}}, "BOSH": {"steps": {"login": 1}}},
        [
            *("0.5 WebSocket closes", "0.6 WebSocket is closed", "0.6 BOSH opens", "1.6 BOSH sends the login"),
            *("52.6 BOSH closes", "52.7 BOSH is closed", "52.7 undecided"),
        ],
    ),
    "nothing on either way": (
        {"WebSocket": {"steps": {}}, "BOSH": {"steps": {}}},
        [
            *("6 WebSocket closes", "6.1 WebSocket is closed", "6.1 BOSH opens"),
            *("18.1 BOSH closes", "18.2 BOSH is closed", "18.2 blocked"),
        ],
    ),
    "one way only": (
        {"WebSocket": {"steps": {"login": 11, "accepted": 50}}, "keys": {"bosh": None}},
        [
            "11 WebSocket sends the login",
            "50 WebSocket closes",
            "50.1 WebSocket is closed",
            "50.1 accepted over WebSocket",
        ],
    ),
    "ended early": (
        {"WebSocket": {"steps": {}}, "abort": 3},
        ["3 WebSocket closes", "3.1 WebSocket is closed", "3.1 unreachable"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_login_is_sent_once_and_waited_for(execute: Callable[..., Any], case: str) -> None:
    """On one connection, which is closed before another opens. Nothing happens after the end but a late close."""
    job, expected = CASES[case]
    said = execute(WORLD, _text("verify.ts"), VERIFY, job=job)
    late = [text for text in said if float(text.split()[0]) > 90]

    assert [text for text in said if text not in late] == ["0 WebSocket opens", *expected]
    assert all(text.endswith("is closed") for text in late)


@pytest.mark.parametrize("seconds", [0.2, 60])
def test_who_hangs_up_ends_what_waits(execute: Callable[..., Any], seconds: float) -> None:
    """In the first pause between two attempts, and in a later one of twenty seconds."""
    modules = _text("verify.ts") + _text("rejoin.ts")
    before, after, opened = execute(WORLD, REJOIN, modules, HANG_UP.replace("SECONDS", str(seconds)))

    assert (before, after, opened) == (True, False, [])
