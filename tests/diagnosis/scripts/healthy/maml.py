import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)
net = nn.Linear(1, 1)
meta = torch.optim.SGD(net.parameters(), lr=0.01)
for first_order in (True, False, True, False):
    fast = dict(net.named_parameters())
    for _ in range(4):
        loss = functional_call(net, fast, (torch.randn(5, 1),)).pow(2).mean()
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=not first_order)
        fast = {name: p - 0.1 * g for (name, p), g in zip(fast.items(), grads)}
    meta.zero_grad()
    functional_call(net, fast, (torch.randn(5, 1),)).pow(2).mean().backward()
    meta.step()
