"""Many threads on one encoder: shared batches, waiting, cancelling, errors, closing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocelot.cancel import Abandoned, cancellable
from ocelot.encoders.base import Encoder
from ocelot.encoders.batching import BatchingEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.errors import ConfigurationError, EncoderError, ImageError, InputError
from ocelot.types import Input

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
PATIENCE = 60.0  # seconds until a test that hangs fails
LONG = 3600.0  # a window that no test can sit out
MODEL_THREAD = "ocelot-encoder-staged"


class Staged(Encoder):
    """Turns a text into (its length, its first letter); stops where a test says.

    A text that begins with "slow" stays in `prepare` until `prepared` is set. While `held`, the
    model stops in each batch until `go_on` is released once.
    """

    name, dimension, fingerprint, batch_size = "staged", 2, "staged", 8

    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.entered = threading.Semaphore(0)  # once for each batch that the model starts
        self.go_on = threading.Semaphore(0)
        self.preparing = threading.Semaphore(0)  # once for each slow text
        self.prepared = threading.Event()
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()

    def prepare(self, input: Input) -> str:
        text = str(super().prepare(input)[1])
        if text.startswith("slow"):
            self.preparing.release()
            assert self.prepared.wait(PATIENCE)
        return text

    def embed(self, batch: Sequence[str]) -> Any:
        self.batches.append(list(batch))
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        if self.held:
            assert self.go_on.acquire(timeout=PATIENCE)
        for text in batch:
            if text == "exit":
                raise SystemExit(f"text of {len(batch)}")
            if text.startswith("broken"):
                raise ValueError(f"{text}, in a batch of {len(batch)}")
        return [[float("nan") if text == "nan" else len(text), ord(text[0])] for text in batch]


def expected(*texts: str) -> Any:
    rows = np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def start(call: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """A call in a thread of its own, which a test that fails leaves behind."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(call(*arguments))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def settle(shared: BatchingEncoder, callers: int) -> None:
    """Until so many callers wait for a model that is busy."""
    with shared._changed:
        assert shared._changed.wait_for(lambda: len(shared._waiting) == callers, PATIENCE)


def test_each_of_many_threads_gets_its_own_answer() -> None:
    alone = VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="fp32")
    pictures = sorted(GOLDEN.glob("*.png"))
    assert len(pictures) > 3
    queries: list[tuple[Path | None, str | None]] = []
    for number, picture in enumerate(pictures):
        queries += [
            (picture, None),
            (None, "kettle " * (number + 1)),
            (picture, f"in the colour number {number}"),
        ]
    right = np.concatenate([alone.encode([query]) for query in queries])
    assert len(np.unique(right.round(3), axis=0)) == len(queries)
    sizes: list[int] = []
    with BatchingEncoder(alone, observe=sizes.append) as shared:
        begin = threading.Barrier(len(queries))

        def ask(number: int) -> list[Any]:
            begin.wait(PATIENCE)
            own = queries[number:] + queries[:number]
            return [*(shared.encode([query])[0] for query in own[:3]), *shared.encode(own[3:6])]

        answers = [start(ask, number) for number in range(len(queries))]
        for number, answer in enumerate(answers):
            np.testing.assert_allclose(
                answer.result(PATIENCE), np.roll(right, -number, axis=0)[:6], atol=1e-5
            )
    assert sum(sizes) == 6 * len(queries)


def test_it_has_the_attributes_of_the_wrapped_encoder() -> None:
    staged = Staged()
    with BatchingEncoder(staged) as shared:
        for attribute in ("name", "dimension", "fingerprint", "batch_size"):
            assert getattr(shared, attribute) == getattr(staged, attribute)
        assert shared.prepare(Input(text="abc")) == "abc"
        np.testing.assert_array_equal(shared.embed(["abc"]), staged.embed_checked(["abc"]))
        assert shared.encode([]).shape == shared.embed_checked([]).shape == (0, 2)
    with BatchingEncoder(staged, batch_size=3) as shared:
        assert shared.batch_size == 3


def test_calls_during_a_batch_share_the_next_one() -> None:
    staged, sizes = Staged(held=True), []
    with BatchingEncoder(staged, window=0, observe=sizes.append) as shared:
        first = start(shared.encode, ["first"])
        assert staged.entered.acquire(timeout=PATIENCE)
        texts = ["a", "bb", "ccc", "dddd"]
        others = [start(shared.encode, [text]) for text in texts]
        settle(shared, 4)
        staged.held = False
        staged.go_on.release()
        np.testing.assert_allclose(first.result(PATIENCE), expected("first"), atol=1e-6)
        for text, other in zip(texts, others, strict=True):
            np.testing.assert_allclose(other.result(PATIENCE), expected(text), atol=1e-6)
    assert sizes == [1, 4]
    assert staged.threads == {MODEL_THREAD}


def test_a_batch_has_at_most_its_size_and_keeps_calls_whole() -> None:
    staged, sizes = Staged(held=True), []
    with BatchingEncoder(staged, window=0, batch_size=4, observe=sizes.append) as shared:
        first = start(shared.encode, ["first"])
        assert staged.entered.acquire(timeout=PATIENCE)
        others = []
        for texts in (["a"] * 3, ["b"] * 3, ["c"], ["d"] * 2, ["e"] * 4):
            others.append(start(shared.encode, texts))
            settle(shared, len(others))
        staged.held = False
        staged.go_on.release()
        for one in (first, *others):
            one.result(PATIENCE)
    # The longest waiting is always served; behind it whoever fits goes along.
    assert staged.batches == [
        ["first"], ["a", "a", "a", "c"], ["b", "b", "b"], ["d", "d"], ["e", "e", "e", "e"],
    ]  # fmt: skip
    assert sizes == [1, 4, 3, 2, 4]


@pytest.mark.parametrize("direct", [True, False])
def test_more_items_than_a_batch_keep_their_order(direct: bool) -> None:
    staged = Staged()
    texts = [chr(ord("a") + n) * (n + 1) for n in range(11)]
    with BatchingEncoder(staged, batch_size=4) as shared:
        rows = shared.embed_checked(texts) if direct else shared.encode(texts, batch_size=100)
        np.testing.assert_allclose(rows, expected(*texts), atol=1e-6)
        assert [len(batch) for batch in staged.batches] == [4, 4, 3]
        shared.encode(texts[:4], batch_size=2)
    assert [len(batch) for batch in staged.batches] == [4, 4, 3, 2, 2]


def test_a_query_waits_for_one_batch_of_an_indexing_run_at_most() -> None:
    staged = Staged(held=True)
    with BatchingEncoder(staged, window=0, batch_size=4) as shared:
        run = start(shared.embed_checked, ["run"] * 40)
        assert staged.entered.acquire(timeout=PATIENCE)
        query = start(shared.encode, ["query"])
        settle(shared, 1)
        staged.go_on.release()
        assert staged.entered.acquire(timeout=PATIENCE)
        assert staged.batches == [["run"] * 4, ["query"]]
        staged.held = False
        staged.go_on.release()
        np.testing.assert_allclose(query.result(PATIENCE), expected("query"), atol=1e-6)
        np.testing.assert_allclose(run.result(PATIENCE), expected(*["run"] * 40), atol=1e-6)


def test_a_lone_caller_never_waits_for_the_window() -> None:
    with BatchingEncoder(Staged(), window=LONG) as shared:
        for text in ("a", "bb"):
            rows = start(shared.encode, [text]).result(PATIENCE)
            np.testing.assert_allclose(rows, expected(text), atol=1e-6)


def test_it_waits_for_a_caller_that_is_preparing() -> None:
    staged = Staged()
    with BatchingEncoder(staged, window=LONG) as shared:
        slow = start(shared.encode, ["slow"])
        assert staged.preparing.acquire(timeout=PATIENCE)
        quick = []
        for number in range(1, 6):  # the model could have begun with the first of them
            quick.append(start(shared.encode, ["quick"]))
            settle(shared, number)
        assert not staged.batches
        staged.prepared.set()
        np.testing.assert_allclose(slow.result(PATIENCE), expected("slow"), atol=1e-6)
        for one in quick:
            np.testing.assert_allclose(one.result(PATIENCE), expected("quick"), atol=1e-6)
    assert staged.batches == [["quick"] * 5 + ["slow"]]


def test_it_waits_no_longer_than_the_window() -> None:
    staged = Staged()
    for window in (0.0, 0.001):
        with BatchingEncoder(staged, window=window) as shared:
            slow = start(shared.encode, ["slow"])
            assert staged.preparing.acquire(timeout=PATIENCE)
            rows = start(shared.encode, ["quick"]).result(PATIENCE)
            np.testing.assert_allclose(rows, expected("quick"), atol=1e-6)
            assert not slow.done()
            staged.prepared.set()
            slow.result(PATIENCE)
            staged.prepared.clear()


def test_a_full_batch_waits_for_nobody() -> None:
    staged = Staged()
    with BatchingEncoder(staged, window=LONG, batch_size=2) as shared:
        slow = start(shared.encode, ["slow"])
        assert staged.preparing.acquire(timeout=PATIENCE)
        start(shared.encode, ["a", "b"]).result(PATIENCE)
        staged.prepared.set()
        slow.result(PATIENCE)


def test_pictures_prepared_by_an_indexing_run_are_not_waited_for() -> None:
    staged = Staged()
    with BatchingEncoder(staged, window=LONG) as shared:
        ahead = start(shared.prepare, Input(text="slow"))
        assert staged.preparing.acquire(timeout=PATIENCE)
        start(shared.encode, ["quick"]).result(PATIENCE)
        staged.prepared.set()
        ahead.result(PATIENCE)


def test_a_damaged_picture_fails_only_its_caller() -> None:
    staged = Staged()
    with BatchingEncoder(staged, window=LONG) as shared:
        bad = start(shared.encode, ["slow", (b"no image", None)])
        assert staged.preparing.acquire(timeout=PATIENCE)
        good = start(shared.encode, ["good"])
        settle(shared, 1)
        staged.prepared.set()  # and the one who waited for the bad picture goes on without it
        with pytest.raises(ImageError):
            bad.result(PATIENCE)
        np.testing.assert_allclose(good.result(PATIENCE), expected("good"), atol=1e-6)
        with pytest.raises(InputError):
            shared.encode([(None, " ")])


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("broken", ValueError, "broken, in a batch of 1"),
        ("nan", EncoderError, "not finite"),
        ("exit", SystemExit, "text of 1"),
    ],
)
def test_an_item_that_breaks_the_model_does_not_spoil_its_neighbours(
    bad: str, error: type[BaseException], message: str
) -> None:
    staged, sizes = Staged(held=True), []
    with BatchingEncoder(staged, window=0, observe=sizes.append) as shared:
        first = start(shared.encode, ["first"])
        assert staged.entered.acquire(timeout=PATIENCE)
        others = [start(shared.encode, texts) for texts in (["a"], [bad], ["c", "d"])]
        settle(shared, 3)
        staged.held = False
        staged.go_on.release()
        with pytest.raises(error, match=message):
            others[1].result(PATIENCE)
        for one, texts in ((first, ["first"]), (others[0], ["a"]), (others[2], ["c", "d"])):
            np.testing.assert_allclose(one.result(PATIENCE), expected(*texts), atol=1e-6)
        assert sizes[:2] == [1, 4]
        assert sorted(sizes[2:]) == [1, 1, 2]
        after = start(shared.encode, ["after"])
        np.testing.assert_allclose(after.result(PATIENCE), expected("after"), atol=1e-6)


def test_each_caller_gets_an_error_of_its_own() -> None:
    staged = Staged(held=True)
    with BatchingEncoder(staged, window=0) as shared:
        first = start(shared.encode, ["first"])
        assert staged.entered.acquire(timeout=PATIENCE)
        others = [start(shared.encode, [text]) for text in ("broken one", "broken two")]
        settle(shared, 2)
        staged.held = False
        staged.go_on.release()
        first.result(PATIENCE)
        errors = [other.exception(PATIENCE) for other in others]
    assert [str(error).split(",")[0] for error in errors] == ["broken one", "broken two"]
    assert all(error is not None and error.__context__ is None for error in errors)
    assert len(staged.batches[1]) == 2


def test_cancelled_work_never_reaches_the_model() -> None:
    staged, gone = Staged(held=True), threading.Event()

    def ask_and_go() -> Any:
        with cancellable(gone.is_set):
            return shared.encode(["unwanted"] * 8)

    with BatchingEncoder(staged, window=0) as shared:
        first = start(shared.encode, ["first"])
        assert staged.entered.acquire(timeout=PATIENCE)
        left = start(ask_and_go)
        settle(shared, 1)
        others = [start(shared.encode, [text]) for text in ("a", "b")]
        settle(shared, 3)
        gone.set()
        staged.held = False
        staged.go_on.release()
        with pytest.raises(Abandoned):
            left.result(PATIENCE)
        for one in (first, *others):
            one.result(PATIENCE)
    assert [sorted(batch) for batch in staged.batches] == [["first"], ["a", "b"]]


def test_cancelled_work_is_not_prepared() -> None:
    asked = []
    with BatchingEncoder(Staged()) as shared, cancellable(lambda: True):
        shared.prepare = asked.append  # type: ignore[method-assign, assignment]
        with pytest.raises(Abandoned, match="gave up"):
            shared.encode(["a"])
    assert not asked


def test_an_inner_and_an_outer_caller_can_both_cancel() -> None:
    def fail() -> bool:
        raise RuntimeError

    with BatchingEncoder(Staged()) as shared:
        with cancellable(lambda: True), cancellable(lambda: False), pytest.raises(Abandoned):
            shared.encode(["a"])
        with cancellable(fail), cancellable(lambda: True), pytest.raises(Abandoned):
            shared.encode(["a"])
        with cancellable(fail), cancellable(lambda: False):
            shared.encode(["a"])
        shared.encode(["a"])  # what held inside holds no longer


def test_cancelling_affects_one_thread_only() -> None:
    with BatchingEncoder(Staged()) as shared, cancellable(lambda: True):
        rows = start(shared.encode, ["a"]).result(PATIENCE)
    np.testing.assert_allclose(rows, expected("a"), atol=1e-6)


def test_closing_finishes_what_waits_and_refuses_what_comes() -> None:
    staged = Staged(held=True)
    shared = BatchingEncoder(staged, window=LONG)
    first = start(shared.encode, ["first"])
    assert staged.entered.acquire(timeout=PATIENCE)
    waiting = start(shared.encode, ["waiting"])
    settle(shared, 1)
    late = start(shared.encode, ["slow"])  # still preparing when it closes
    assert staged.preparing.acquire(timeout=PATIENCE)
    closing = start(shared.close)
    with shared._changed:
        assert shared._changed.wait_for(lambda: shared._closed, PATIENCE)
    staged.held = False
    staged.go_on.release()
    closing.result(PATIENCE)
    np.testing.assert_allclose(first.result(PATIENCE), expected("first"), atol=1e-6)
    np.testing.assert_allclose(waiting.result(PATIENCE), expected("waiting"), atol=1e-6)
    staged.prepared.set()
    with pytest.raises(EncoderError, match="staged is closed"):
        late.result(PATIENCE)
    for refused in (shared.encode, shared.embed_checked):
        with pytest.raises(EncoderError, match="staged is closed"):
            start(refused, ["a"]).result(PATIENCE)
    shared.close()
    assert MODEL_THREAD not in running()


def test_its_thread_starts_with_the_first_item() -> None:
    with BatchingEncoder(Staged()) as shared:
        assert MODEL_THREAD not in running()
        shared.encode(["a"])
        assert MODEL_THREAD in running()
    assert MODEL_THREAD not in running()
    BatchingEncoder(Staged()).close()


def test_a_program_that_ends_lets_the_model_finish() -> None:
    code = """
import threading
from ocelot.encoders import BatchingEncoder, FunctionEncoder

def model(image, text):
    working.set()
    threading.main_thread().join()
    print("finished")
    return [1.0]

working = threading.Event()
shared = BatchingEncoder(FunctionEncoder(model, dimension=1))
threading.Thread(target=shared.encode, args=(["a"],), daemon=True).start()
working.wait()
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": -0.1}, "window"),
        ({"window": float("nan")}, "window"),
        ({"window": float("inf")}, "window"),
        ({"batch_size": 0}, "batch size"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BatchingEncoder(Staged(), **options)
