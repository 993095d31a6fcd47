import copy
import io

import torch
from torch import nn

net = nn.Linear(2, 1)
opt = torch.optim.Adam(net.parameters())
x = torch.randn(4, 2)
net(x).pow(2).mean().backward()
opt.step()
best = copy.deepcopy(net.state_dict())
f = io.BytesIO()
torch.save(net.state_dict(), f)
f.seek(0)
net.load_state_dict(torch.load(f))
clone = copy.deepcopy(net)
print(clone(x))
import pickle

pickle.loads(pickle.dumps(net))
