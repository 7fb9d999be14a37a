import pytest

torch = pytest.importorskip("torch")

from ponderank.train.smooth import Smoothed, smooth  # noqa: E402


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.last = torch.nn.Linear(16, 8), torch.nn.Linear(16, 8), torch.nn.Linear(8, 1)

    def forward(self, states):
        return self.last(torch.relu(self.left(states)) * self.right(states))


def outlying():
    states = torch.randn(4, 5, 16)
    states[..., 3] *= 100
    return states


def test_the_output_stays_and_activations_become_even():
    torch.manual_seed(0)
    net, states = Net().eval(), outlying()
    before = net(states)
    smooth(net, [{"states": states}, {"states": outlying()}])
    assert isinstance(net.left, Smoothed)
    assert isinstance(net.last, torch.nn.Linear)
    assert torch.allclose(net(states), before, rtol=1e-4, atol=1e-4)
    largest = (states * net.left.shrink).abs().flatten(0, -2).amax(0)
    assert largest.max() / largest.median() < 5 < states.abs().flatten(0, -2).amax(0).max() / 10


def test_what_reads_the_same_states_shares_a_scale():
    torch.manual_seed(0)
    net = Net().eval()
    smooth(net, [{"states": outlying()}])
    assert torch.equal(net.left.shrink, net.right.shrink)


def test_a_layer_that_nothing_reached_stays():
    net = Net().eval()
    net.idle = torch.nn.Linear(4, 4)
    smooth(net, [{"states": outlying()}])
    assert isinstance(net.idle, torch.nn.Linear)
