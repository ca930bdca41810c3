"""Functions that a reader wrote, and other things that can be a step."""

import functools
import math

import numpy as np
from twice import outcome

import dezero.functions as F
from dezero import Function, Variable, no_grad
from hazards import CHANGES, batches, forms, hazard, left, mlp, written


class Own(Function):
    """What the functions below have in common."""

    def forward(self, x):
        return x * 2

    def backward(self, gy):
        return gy * 2


def calls(wrap, f):
    """A program: a step that calls a function of the reader; value, gradient and `x`."""

    def step(x):
        x = Variable(x)
        y = F.sum(f(x * 1) ** 2)
        y.backward()
        return y, x.grad

    fast = wrap(step)
    for i in range(7):
        yield fast(np.arange(4.0) + i - 3)


def called(function):
    """What stands below is the function that a program calls."""

    @functools.wraps(function, updated=())
    def program(wrap):
        return calls(wrap, lambda x: function()(x))

    return program


# --- what a function computes -------------------------------------------------------------------


@written
@called
class a_function_in_the_books_style(Own):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        x = self.inputs[0].data
        return 2 * x * gy


@written
@called
class a_function_that_draws_at_random(Own):
    def forward(self, x):
        return x * np.random.rand(*x.shape)


@written
@called
class a_function_that_branches_on_its_numbers(Own):
    def forward(self, x):
        return x * 2 if x[0] > 0 else x * 3

    def backward(self, gy):
        return gy * (2 if self.inputs[0].data[0] > 0 else 3)


@left("float() reads a number of the step")
@called
class a_function_that_goes_through_python_numbers(Own):
    def forward(self, x):
        return np.array([math.sin(v) for v in x])

    def backward(self, gy):
        return gy * np.array([math.cos(v) for v in self.inputs[0].data.tolist()])


@written
@called
class a_function_that_loops_until_it_is_done(Own):
    def forward(self, x):
        while np.abs(x).max() > 1:
            x = x / 2
        return x


class Rude(Own):
    def forward(self, x):
        x += 1
        return x * 2


@written
def a_function_that_changes_its_input(wrap):
    return calls(wrap, lambda x: Rude()(x))


@written
def a_function_that_changes_the_argument_of_the_step(wrap):
    fast = wrap(lambda x: F.sum(Rude()(Variable(x))))
    for i in range(6):
        x = np.arange(3.0) + i
        yield fast(x), x


@written
def a_function_that_returns_its_input_or_a_view(wrap):
    class View(Own):
        def forward(self, x):
            return form(x)

    views = [lambda x: x, lambda x: x[:], lambda x: x[::-1], lambda x: x.reshape(2, 2).T.ravel()]
    for form in views:  # noqa: B007
        yield from calls(wrap, lambda x: View()(x))


@written
def a_function_with_several_results(wrap):
    class Both(Own):
        def forward(self, x):
            return x + 1, np.exp(x)

        def backward(self, g0, g1):
            return g0 + g1 * np.exp(self.inputs[0].data)

    def both(x):
        a, b = Both()(x)
        return a * b + a

    yield from calls(wrap, both)
    yield from calls(wrap, lambda x: Both()(x)[1])


# --- what a function keeps ----------------------------------------------------------------------


@hazard
def a_function_that_keeps_something_for_the_way_back(wrap):
    class Kept(Own):
        def forward(self, x):
            self.mask = x > 0
            return x * self.mask

        def backward(self, gy):
            return gy * self.mask

    yield from calls(wrap, lambda x: Kept()(x))
    yield from calls(wrap, Kept())


@left(CHANGES)
def a_function_that_counts_its_calls(wrap):
    count = 0

    class Counting(Own):
        def forward(self, x):
            nonlocal count
            count += 1
            return x * count

    yield from calls(wrap, lambda x: Counting()(x))
    yield count


@left("the step calls type()")
def a_function_whose_object_counts_its_calls(wrap):
    class Counting(Own):
        count = 0

        def forward(self, x):
            type(self).count += 1
            return x + type(self).count

    yield from calls(wrap, lambda x: Counting()(x))
    yield Counting.count


@written
def a_function_that_reads_a_number_outside(wrap):
    factor = 1.0

    class Reading(Own):
        def forward(self, x):
            return x * factor

    def step(x):
        return F.sum(Reading()(Variable(x)))

    fast = wrap(step)
    for i in range(8):
        factor = 1.0 if i < 4 else float(i)
        yield fast(np.arange(3.0) + i)


@written
def a_function_with_an_option_that_changes(wrap):
    class Scale(Own):
        def __init__(self, c):
            self.c = c

        def forward(self, x):
            return x * self.c

        def backward(self, gy):
            return gy * self.c

    c, one = 1.0, Scale(1.0)

    def step(x):
        x = Variable(x)
        y = F.sum(Scale(c)(x) + one(x))
        y.backward()
        return y, x.grad

    fast = wrap(step)
    for i in range(10):
        c = 1.0 if i < 4 else float(i)
        one.c = 1.0 if i < 6 else float(i)
        yield fast(np.arange(3.0) + i)


@left(CHANGES)
def a_function_that_keeps_its_results(wrap):
    kept = []

    class Keeping(Own):
        def forward(self, x):
            y = x * 2
            kept.append(y)
            return y

    yield from calls(wrap, lambda x: Keeping()(x))
    yield kept


@left("two calls did not compute the same")
def a_function_with_a_cache(wrap):
    cache = {}

    class Cached(Own):
        def forward(self, x):
            key = x.shape
            if key not in cache:
                cache[key] = x * 2
            return x + cache[key]

    yield from calls(wrap, lambda x: Cached()(x))
    yield cache


# --- everything of NumPy ------------------------------------------------------------------------


@hazard
def a_function_that_uses_anything_of_numpy(wrap):
    used = forms(
        "x",
        """
        np.sort(x); np.cumsum(x)[::-1]; np.linalg.norm(x) * x; np.fft.ifft(np.fft.fft(x)).real;
        np.interp(x, np.arange(4.0), np.arange(4.0) ** 2);
        np.convolve(x, [1.0, 2.0, 1.0], "same"); np.apply_along_axis(lambda r: r * 2, 0, x);
        np.vectorize(lambda v: v * 2)(x); np.select([x > 1, x > 0], [x, -x], 0.5);
        np.where(x > 0, x, 0) + np.clip(x, -1, 1);
        np.piecewise(x, [x > 0], [lambda v: v * 2, lambda v: v * 3]); x[np.argsort(x)];
        x[x > 0].sum() * x; np.einsum("i,i->i", x, x);
        np.add.reduce(x) + np.multiply.accumulate(x) + np.add.outer(x, x)[0];
        np.stack([x, x]).mean(0) + np.concatenate([x[2:], x[:2]]);
        np.roll(x, 1) + np.flip(x) + np.tile(x[:2], 2) + np.repeat(x[:2], 2);
        np.unique(x)[:1] * x; np.histogram(x, 4)[0].astype(float);
        np.median(x) + np.percentile(x, 30) + x.std() + x.var() + np.ptp(x) + x;
        np.nan_to_num(np.log(np.abs(x))) + np.spacing(x) + np.floor(x) + x // 2 + x % 2;
        np.lib.stride_tricks.sliding_window_view(np.pad(x, 1), 3).sum(1);
        np.lib.stride_tricks.as_strided(x, (4,), (0,)) + x; x.view(np.int64).astype(float) % 7;
        x.astype(np.float16).astype(float) + x.round(1) + x.clip(0, 1);
        np.copysign(1, x) + np.signbit(x) + np.isnan(x) + np.isfinite(x) + x.dot(x);
        np.matmul(x[None], np.outer(x, x))[0] + np.inner(x, x) + np.vdot(x, x);
        np.put_along_axis(y := x.copy(), np.array([1]), 5.0, 0) or y;
        np.copyto(y := np.empty_like(x), x * 2) or y; np.add.at(y := x.copy(), [0, 0], 1) or y;
        np.multiply(x, 2, out=np.empty(4)) + np.exp(x, where=x > 0, out=np.zeros(4));
        np.frompyfunc(lambda v: v * 2, 1, 1)(x).astype(float); np.asarray(x.tolist()) * 2;
        np.array(x, copy=True, ndmin=2)[0] + np.asfortranarray(x) + np.ascontiguousarray(x);
        np.random.default_rng(int(x[0]) % 2**32).random(4);
        np.divmod(x, 2)[0] + np.modf(x)[1] + np.frexp(x)[0];
        np.linalg.solve(np.eye(4) * 2, x) + np.linalg.inv(np.eye(4) + np.diag(x * x)) @ x;
        np.atleast_2d(x).T[:, 0] + np.swapaxes(x[None], 0, 1)[:, 0] + np.expand_dims(x, 0)[0];
        np.bincount(np.abs(x).astype(int) % 4, minlength=4).astype(float);
        np.searchsorted(np.arange(4.0), x).astype(float) + np.digitize(x, [0.0, 1.0]);
        np.nonzero(x)[0].sum() + np.count_nonzero(x) + np.flatnonzero(x > 0).size + x;
        np.max(x) - np.min(x) + np.prod(x) + np.argmax(x) + np.argmin(x) + np.any(x > 2) + x;
        np.square(x, dtype=np.float32).astype(float) + np.power(np.abs(x), 0.5);
        np.meshgrid(x, x)[0][1] + np.trace(np.outer(x, x)) + np.triu(np.outer(x, x))[1];
        np.result_type(x, np.float32).type(1) * x + np.can_cast(x.dtype, float);
        np.ones_like(x) + np.zeros_like(x) + np.full_like(x, 3) + np.empty_like(x) * 0;
        x.real + x.imag + np.real(x) + np.abs(x * 1j);
        x.conj() + np.conjugate(x) + x.flatten() + x.ravel() + x.squeeze() + x.transpose();
        x.take([0, 1, 2, 3]) + x.repeat(1) + x.compress([1, 1, 1, 1]);
        x.cumsum() + x.cumprod() + x.searchsorted(1.0) + np.partition(x, 2);
        (x.byteswap().byteswap() + x.swapaxes(0, 0)) * x.all() + x.argsort();
        np.float64(3) * x + np.float64(x[0]) + float(x.sum()) + x.sum().item()
        """,
    )
    for form in used:

        class Any(Own):
            def forward(self, x, form=form):
                return form(x)

        def step(x, Any=Any):
            x = Variable(x)
            y = F.sum(Any()(x) ** 2)
            y.backward()
            return y, x.grad

        fast = wrap(step)
        for i in range(6):
            x = np.array([1.0, -2.5, 0.3, 2.0]) * (1 + i % 3) + (i > 3) * -1
            yield outcome(fast, x)


# --- steps that are not plain functions ---------------------------------------------------------


@written
def methods_partials_lambdas_and_objects_are_steps(wrap):
    class Task:
        scale = 2.0

        def __init__(self):
            self.model = mlp()

        def step(self, x):
            return F.sum(self.model(x)) * self.scale

        def __call__(self, x):
            return self.step(x)

        @no_grad()
        def ask(self, x):
            return self.model(x)

        @classmethod
        def of_class(cls, x):
            return F.sum(Variable(x)) * cls.scale

        @staticmethod
        def free(x):
            return F.sum(Variable(x))

    task = Task()
    steps = [task.step, task, task.ask, Task.of_class, Task.free, lambda x: task.step(x) * 2, F.sum]
    steps += [functools.partial(Task.step, task), functools.lru_cache(lambda n: n + 1), task.model]
    for step in steps:
        fast = wrap(step, task.model)
        for i, (x, _) in enumerate(batches(6)):
            if i == 4:
                task.scale = 3.0
            yield outcome(fast, 3 if step is steps[8] else x)
