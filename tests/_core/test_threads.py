"""Threads that do the same at the same time: each test holds one of them where the other would harm it."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from weakref import WeakSet

import matplotlib as mpl
import pytest
from equilibrax._core import compile_cache, files, imports
from equilibrax.cli import progress
from equilibrax.figures import _drawing
from equilibrax.io import literals
from interleaving import Meanwhile, Watched


@pytest.fixture
def watch(monkeypatch):
    def watched(module, name):
        lock = Watched(threading.RLock() if name == "_settings" else None)
        monkeypatch.setattr(module, name, lock)
        return lock

    return watched


def test_programs_may_be_made_while_others_are_forgotten(monkeypatch, watch):
    lock, made = watch(compile_cache, "_adding"), []

    class Slow(WeakSet):
        def __iter__(self):
            for one in super().__iter__():
                if not made:
                    made.append(Meanwhile(lambda: compile_cache.jit(lambda x: x + 1)))
                    lock.wait_for_waiting()
                yield one

    monkeypatch.setattr(compile_cache, "_ours", Slow())
    kept = [compile_cache.jit(lambda x, i=i: x + i) for i in range(3)]
    monkeypatch.setattr(compile_cache, "_since", compile_cache._EVERY)
    monkeypatch.setattr(compile_cache, "_others", 0)
    monkeypatch.setattr(compile_cache, "mappings", lambda: (10, 10))
    compile_cache.make_room()
    assert made[0].result() in compile_cache._ours
    assert len(compile_cache._ours) == len(kept) + 1


def test_a_stand_in_gives_way_once(tmp_path, monkeypatch, watch):
    (tmp_path / "late_module.py").write_text("import sys\nsys.loads = getattr(sys, 'loads', 0) + 1\nname = 'late'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "loads", 0, raising=False)
    stand_in = imports._Later("late_module")
    monkeypatch.setitem(sys.modules, "late_module", stand_in)
    lock = watch(imports, "_taking")
    with lock:
        asking = [Meanwhile(lambda: stand_in.name) for _ in range(2)]
        for _ in asking:
            lock.wait_for_waiting()
    assert [thread.result() for thread in asking] == ["late"] * 2
    assert sys.loads == 1


def test_warnings_are_as_they_were_after_two_have_ignored_them(monkeypatch, watch):
    lock, parse = watch(literals, "_ignoring"), literals.ast.literal_eval
    others = []

    def slowly(text):
        if not others:
            others.append(Meanwhile(lambda: literals.parse_literal("2", "here", "a number")))
            lock.wait_for_waiting()
        return parse(text)

    monkeypatch.setattr(literals.ast, "literal_eval", slowly)
    before = list(warnings.filters)
    assert literals.parse_literal("1", "here", "a number") == 1
    assert others[0].result() == 2
    assert warnings.filters == before


def test_matplotlib_is_as_it_was_after_two_have_drawn(watch):
    lock, before = watch(_drawing, "_settings"), dict(mpl.rcParams)

    def draw():
        with _drawing.page(None, 1, "a note"):
            return mpl.rcParams["font.size"]

    with _drawing.page(None, 1, "a note"):
        other = Meanwhile(draw)
        lock.wait_for_waiting()
        assert draw() == 8  # a page within a page
    assert other.result() == 8
    assert dict(mpl.rcParams) == before


def test_a_line_that_says_what_is_done_is_whole_before_a_bar_begins(watch):
    lock, done, seen = watch(progress, "_drawing"), threading.Event(), []

    def bar():
        with progress.quiet():
            return len(seen)

    class Terminal:
        def write(self, text):
            if not seen:
                other.append(Meanwhile(bar))
                lock.wait_for_waiting()
            seen.append(progress._state["quiet"])
            done.set()

        def flush(self):
            pass

    other = []
    progress._show(Terminal(), done, 0.0)
    assert other[0].result() >= 1
    assert seen[0] == ""


def test_a_process_that_ends_at_once_begins_no_file(tmp_path, watch):
    lock = watch(files, "_beginning")
    with files.whole_file(tmp_path / "first"):
        files.remove_unfinished()
        later = Meanwhile(lambda: files.write_whole(tmp_path / "second", b"whole"))
        lock.wait_for_waiting()
        assert os.listdir(tmp_path) == []
        (tmp_path / next(iter(files._temporaries))).touch()  # for the first, which in a process that ends does not end
        lock.__exit__(None, None, None)
    later.result()
