import torch
from torch import nn

torch.manual_seed(0)
online, momentum = nn.Linear(4, 3), nn.Linear(4, 3)
momentum.load_state_dict(online.state_dict())
predictor = nn.Linear(3, 3)
optimizer = torch.optim.SGD([*online.parameters(), *predictor.parameters()], lr=0.1)
for _ in range(3):
    a, b = torch.randn(6, 4), torch.randn(6, 4)
    za = predictor(online(a))
    zb = momentum(b).detach()
    simsiam = -nn.functional.cosine_similarity(predictor(online(b)), online(a).detach()).mean()
    loss = simsiam - nn.functional.cosine_similarity(za, zb).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for p, m in zip(online.parameters(), momentum.parameters()):
        m.data = 0.99 * m.data + 0.01 * p.data
