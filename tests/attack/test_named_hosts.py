"""mod_muc_named_hosts on a real Prosody: only listed persons moderate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.people import people
from support.prosody_server import CLOSED, DOMAIN, Setup

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.attack
ALICE, BOB, CAROL = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))


def named(*entries: str, more: str = "", **changes: object) -> Setup:
    """Return a server on which only these are hosts."""
    listed = "; ".join(f'"{entry}"' for entry in entries)
    return CLOSED.but(muc_modules=("muc_named_hosts",), muc=f"named_hosts = {{ {listed} }}\n{more}", **changes)


def test_first_one_in_is_not_moderator_and_a_listed_host_who_comes_later_is(prosody) -> None:
    with people(prosody(named(ALICE)), "bob", "alice", "carol") as (bob, alice, carol):
        assert bob.ask_focus() == "result"
        assert bob.join().first_role == ("participant", "none")
        assert alice.join().first_role == ("moderator", "owner")  # in the first thing that is said about her
        assert carol.join().first_role == ("participant", "none")
        assert (alice.moderates, bob.moderates, carol.moderates) == (True, False, False)


def test_control_without_the_module_who_makes_the_room_owns_it(prosody) -> None:
    with people(prosody(CLOSED.but(restrict=False)), "bob") as (bob,):
        assert bob.join().first_role == ("moderator", "owner")


def test_who_makes_the_room_does_not_own_it(prosody) -> None:
    with people(prosody(named(ALICE, restrict=False)), "bob", "alice") as (bob, alice):
        assert bob.join().first_role == ("participant", "none")
        assert alice.join().first_role == ("moderator", "owner")


@pytest.mark.parametrize("module", [True, False], ids=["with the module", "control: without it"])
def test_auto_owner_of_the_focus_comes_to_nothing(prosody, module) -> None:
    setup = named(ALICE) if module else CLOSED
    server = prosody(setup.but(focus="test_focus_auto_owner = true"))
    with people(server, "bob", "alice") as (bob, alice):
        bob.ask_focus()
        bob.join()
        server.wait_for("election of the first one in: error" if module else "election of the first one in: result")
        assert bob.moderates is not module
        alice.ask_focus()
        alice.join()
        assert alice.moderates is module


def test_no_participant_makes_himself_or_another_moderator(prosody) -> None:
    with people(prosody(named(ALICE)), "bob", "carol") as (bob, carol):
        bob.ask_focus()
        bob.join()
        carol.join()
        assert bob.set(f"affiliation='owner' jid='{BOB}'") == "not-allowed"
        assert bob.set(f"affiliation='admin' jid='{CAROL}'") == "not-allowed"
        assert bob.set("role='moderator' nick='carol'") == "not-allowed"
        assert not bob.moderates
        assert not carol.moderates


def test_a_host_appoints_nobody_unless_the_operator_says_so(prosody) -> None:
    with people(prosody(named(ALICE)), "alice", "bob") as (alice, bob):
        alice.ask_focus()
        alice.join()
        bob.join()
        assert alice.set(f"affiliation='owner' jid='{BOB}'") == "not-allowed"
        assert alice.set("role='moderator' nick='bob'") == "not-allowed"
        assert not bob.moderates


def test_where_hosts_may_appoint_only_hosts_do(prosody) -> None:
    with people(prosody(named(ALICE, more="named_hosts_may_appoint = true")), "alice", "bob", "carol") as persons:
        alice, bob, carol = persons
        bob.ask_focus()
        for person in persons:
            person.join()
        assert bob.set(f"affiliation='owner' jid='{BOB}'") == "not-allowed"
        assert alice.set(f"affiliation='owner' jid='{BOB}'") == "result"
        assert bob.moderates
        assert bob.set(f"affiliation='owner' jid='{CAROL}'") == "not-allowed"
        assert not carol.moderates


def test_the_file_is_read_anew_at_each_join_and_who_is_struck_off_is_no_owner_any_more(prosody, tmp_path: Path) -> None:
    names = tmp_path / "hosts"
    names.write_text(f"# staff\n{ALICE}   # on duty\n\n", encoding="utf-8")
    server = prosody(named(more=f'named_hosts_file = "{names}"'))
    with people(server, "carol", "alice", "bob") as (carol, alice, bob):
        carol.ask_focus()
        carol.join()
        assert alice.join().first_role == ("moderator", "owner")
        assert bob.join().first_role == ("participant", "none")
        bob.leave()
        names.write_text(f"{BOB.upper()}\n", encoding="utf-8")  # JIDs do not know capitals
        assert bob.join().first_role == ("moderator", "owner")
        alice.leave()
        assert alice.join().first_role == ("participant", "none")


def test_a_file_that_cannot_be_read_names_nobody_and_says_so(prosody, tmp_path: Path) -> None:
    server = prosody(named(more=f'named_hosts_file = "{tmp_path / "gone"}"'))
    with people(server, "alice") as (alice,):
        alice.ask_focus()
        assert alice.join().first_role == ("participant", "none")
        server.wait_for("named_hosts_file cannot be read, so its list is empty")


def test_an_entry_without_at_stands_for_all_accounts_of_that_host_and_no_other(prosody) -> None:
    guests = 'VirtualHost "guest.test"\n    authentication = "internal_hashed"\n'
    with people(prosody(named(DOMAIN, hosts=guests)), "bob") as (bob,):
        bob.ask_focus()
        assert bob.join().first_role == ("moderator", "owner")
    with people(prosody(named("guest.test", hosts=guests)), "bob") as (bob,):
        bob.ask_focus()
        assert bob.join().first_role == ("participant", "none")


def test_an_entry_that_is_no_bare_jid_names_nobody_and_says_so(prosody) -> None:
    server = prosody(named(f"{ALICE}/phone"))
    server.wait_for(f'"{ALICE}/phone" is not a bare JID and is ignored')
    with people(server, "alice") as (alice,):
        alice.ask_focus()
        assert alice.join().first_role == ("participant", "none")
