import os
import pickle
import tempfile

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(2, 1)

    def forward(self, x):
        return self.l(x)


net = Net()
with tempfile.TemporaryDirectory() as d:
    torch.save(net, os.path.join(d, "m.pt"))
    again = torch.load(os.path.join(d, "m.pt"), weights_only=False)
    blob = pickle.loads(pickle.dumps(net.state_dict()))
opt = torch.optim.SGD(again.parameters(), 0.1)
again(torch.randn(2, 2)).sum().backward()
opt.step()
