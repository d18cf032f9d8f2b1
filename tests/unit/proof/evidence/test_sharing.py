"""Runs side by side: each is made, calls one at a time, and what ended early again without company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hardener.proof.evidence.selection import name_of, plan
from hardener.proof.evidence.sharing import Item, Work

_ALL = ("welcome+none", "call+none", "real-two+none", "real-three+none", "static+none")


def work(*only: str, repeat: bool = True) -> Work:
    return Work(plan(only), lambda _pair, _part: None, repeat=repeat)


def name(item: Item | None) -> str:
    assert item
    return name_of(*item.pair)


def test_networks_make_each_run_once_and_no_two_calls_at_a_time() -> None:
    shared = work(*_ALL)
    calling: list[int] = []

    def network() -> list[str]:
        made = []
        while item := shared.take():
            if item.in_call:
                calling.append(1)
                assert sum(calling) == 1
                calling.append(-1)
            made.append(name(item))
            shared.done(item, ok=True)
        return made

    with ThreadPoolExecutor(4) as pool:
        made = [run for future in [pool.submit(network) for _ in range(4)] for run in future.result()]
    assert sorted(made) == sorted(name_of(*pair) for pair in plan(_ALL))


def test_a_second_call_waits_for_the_first_while_other_runs_are_made() -> None:
    shared = work("real-two+none", "real-three+none", "welcome+none")
    first, second = shared.take(), shared.take()
    assert [name(first), name(second)] == ["real-two + none", "welcome + none"]
    assert first
    shared.done(first, ok=True)
    assert name(shared.take()) == "real-three + none"


def test_what_ended_early_is_made_again_when_nothing_else_runs_and_only_once() -> None:
    shared = work("welcome+none", "call+none")
    slow, other = shared.take(), shared.take()
    assert slow
    assert other
    shared.done(slow, ok=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shared.take)
        assert not waiting.done()
        shared.done(other, ok=True)
        again = waiting.result()
    assert again == Item(slow.number, slow.pair, again=True)
    shared.done(again, ok=False)
    assert shared.take() is None


def test_one_network_makes_the_plan_in_its_order_and_nothing_twice() -> None:
    shared = work(*_ALL, repeat=False)
    made = []
    while item := shared.take():
        made.append(name(item))
        shared.done(item, ok=False)
    assert made == [name_of(*pair) for pair in plan(_ALL)]


def test_nothing_is_handed_out_after_a_stop() -> None:
    shared = work(*_ALL)
    shared.take()
    shared.stop()
    assert shared.take() is None
