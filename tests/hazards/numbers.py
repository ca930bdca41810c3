"""Numbers of a step that are looked at: by an `if`, in NumPy, in Python."""

import numpy as np
from twice import outcome

import dezero.functions as F
from dezero import Variable
from dezero.optimizers import SGD
from hazards import a_step, each, forms, hazard

# --- branches -----------------------------------------------------------------------------------


@a_step(calls=12, optimizer=lambda: SGD(2.0))
def a_branch_on_the_loss(net, x, t):
    loss = net.loss(x, t)
    return net.learn(loss * 2 if loss.data > 1 else loss)


@a_step(".item reads numbers of the step", calls=12, optimizer=lambda: SGD(2.0))
def a_branch_on_a_float_of_the_loss(net, x, t):
    loss = net.differentiate(net.loss(x, t))
    if float(loss) > 1:
        net.optimizer.update()
    return loss


@a_step(calls=12, optimizer=lambda: SGD(0.5))
def a_branch_on_a_gradient(net, x, t):
    loss = net.differentiate(net.loss(x, t))
    if np.abs(net.model.l1.W.grad.data).max() > 0.2:
        net.optimizer.update()
    return loss


@each(lambda: [[Variable(np.array([a, 0.5]))] for a in (1.0, 2.0, 3.0, -1.0, 0.0, -5.0, 4.0)])
def a_branch_on_a_comparison_of_variables(x):
    y = F.sum(x)
    z = y * 2 if y > 0 else -y
    x.cleargrad()
    z.backward()
    return z


@each(lambda: [[np.full(3, start)] for start in (1.0, 2.0, 3.0, -1.0, -2.0, 5.0)])
def a_branch_on_the_arguments_numbers(x):
    y = F.sum(Variable(x) ** 2)
    return y if x.max() > 0 else -y


@hazard
def an_if_on_every_way_to_a_number(wrap):
    looks = forms(
        "v",
        """
        bool(v.data[0] > 0); v.data.tolist()[0] > 0; v.data.item(0) > 0; int(v.data[0]) > 0;
        f"{v.data[0]:.0f}"[0] != "-"; str(v)[10] != "-"; repr(v.data)[7:9] != "-1";
        np.sign(v.data).sum() > 0; v.data in (v.data,) and v.data.any() and (v.data > 0).any();
        v.data.tobytes()[7] < 128; next(iter(v.data)) > 0; np.array_equal(v.data, np.abs(v.data));
        math.copysign(1, v.data[0]) > 0; max(v.data[0], 0) > 0;
        v.data.argmax() >= 0 and v.data.min() > 0; hash(float(v.data[0])) > 0;
        round(float(v.data[0])) > 0; list(range(5))[v.data[:1].astype(int)[0]] != 4;
        not np.less(v.data, 0).all(); np.asarray(v)[0] > 0; np.array(v.data)[0] > 0;
        copy.copy(v.data)[0] > 0; copy.deepcopy(v).data[0] > 0;
        pickle.loads(pickle.dumps(v.data))[0] > 0;
        v.data.__array_interface__ and v.data.base is None and v.data.flat[0] > 0;
        np.from_dlpack(v.data)[0] > 0; np.nditer(v.data).value[()].ravel()[0] > 0;
        np.ctypeslib.as_ctypes(v.data)[0] > 0;
        v.data.ctypes.data and np.einsum("i->", v.data) > 0;
        np.fromiter((n for n in v.data), float)[0] > 0
        """,
    )
    for look in looks:

        def step(x, look=look):
            y = x * 2
            return F.sum(y * y if look(y) else y)

        fast = wrap(step)
        for start in (1.0, 1.0, 1.0, -1.0, -1.0, 1.0):
            yield outcome(fast, Variable(np.array([start, start])))


# --- numbers in NumPy ---------------------------------------------------------------------------


@a_step()
def data_is_computed_with_in_numpy(net, x, t):
    y = net.model(x)
    shift = y.data.mean(0)
    return net.learn(F.softmax_cross_entropy(y - shift, t)), shift


@hazard
def an_error_between_a_change_and_a_question(wrap):
    def step(x):
        x *= 2
        y = np.log(x)
        return y if (x < 100).any() else -y

    fast = wrap(step)
    for start in (1.0, 2.0, 3.0, 4.0, -1.0, 5.0):
        x = np.full(3, start)
        with np.errstate(invalid="raise"):
            yield outcome(fast, x), x


@a_step(given=lambda i, x, t: (x.astype(float), t))
def arguments_are_prepared_in_numpy(net, x, t):
    x = (x.astype(np.float32) - 3) / 2
    t = np.where(t > 1, 0, t)
    return net.train(x, t)


@a_step()
def arguments_are_changed_in_place(net, x, t):
    x *= 2
    x[0] = 1
    return net.train(x, t)


@a_step()
def accuracy_is_measured_in_the_step(net, x, t):
    y = net.model(x)
    loss, right = F.softmax_cross_entropy(y, t), F.accuracy(y, t)
    return net.learn(loss), right


@hazard
def numpy_is_used_everywhere_in_the_step(wrap):
    used = forms(
        "x",
        """
        np.sort(x).sum(); x[x > 0].sum(); x[np.argmax(x)]; len(np.unique(x));
        np.flatnonzero(x > 0).shape[0]; [v * 2 for v in x]; np.where(x > 0)[0];
        np.histogram(x, 3); sum(x); max(x); sorted(x); dict(enumerate(x.tolist()));
        x.sum() + np.float32(2); np.zeros(int(x.sum() ** 2) % 5); x.astype(int) // 2;
        (x > 0).mean(); x.tobytes(); np.array([x.max(), x.min()]); np.array([float(x.max())]);
        np.concatenate([[1.0], x]); 1.0 if x.any() else 2.0; np.pad(x, int(abs(x[0])) % 3);
        x[: int(abs(x[0])) % 3]; x.nonzero()[0].size;
        tuple(x.shape) + (x.size, x.ndim, x.nbytes, x.itemsize); x.strides; x.flags.writeable;
        x is x.view(); np.shares_memory(x, x[1:]); np.may_share_memory(x, x * 2);
        x.__class__.__name__; type(x) is np.ndarray; isinstance(x, np.ndarray); f"{x[0]:.1f}";
        complex(x[0]); range(4)[np.abs(x).astype(int)[0] % 4]; math.floor(x[0]); divmod(x[0], 2);
        x[0] if 0 <= x[0] <= 2 else -x[0]; x[0] and x[1] or x[2]; not x[0] - x[0];
        {1.0: "a"}.get(x[0], "b"); x[0] == 1.0; (x == 1).tolist(); 1.0 in x;
        np.isclose(x, 1).all(); np.testing.assert_allclose(x, x); x.fill(3) or x.sum();
        x.sort() or x[0]; setattr(x, "flat", 2.0) or x.sum();
        x.resize((2, 2), refcheck=False) or x.shape; np.random.shuffle(x) or x;
        x.partition(2) or x; x.setflags(write=False) or x.flags.writeable; x.base is None;
        id(x) == id(x); np.info if np.ndim(x) else 0; x.__array_function__ and 1;
        np.save(buffer := io.BytesIO(), x) or buffer.getvalue();
        struct.pack("d", x[0]); json.dumps(x.tolist());
        statistics.mean(x.tolist()); operator.index(x.astype(int)[0]);
        x.ctypes.data == 0; hash(x.tobytes()) == hash(x.copy().tobytes());
        x.__reduce__()[0].__name__; x.dumps()[:1];
        x.searchsorted(0.5) if (x[:-1] <= x[1:]).all() else -1
        """,
    )
    for form in used:

        def step(x, form=form):
            return form(x), F.sum(Variable(x))

        fast = wrap(step)
        for i in range(6):
            x = np.array([1.0, -2.5, 0.3, 2.0]) * (1 + i % 3) + (i > 3) * -1
            found = outcome(fast, x)
            same = isinstance(found, Exception) and type(found)
            yield same or found, x
