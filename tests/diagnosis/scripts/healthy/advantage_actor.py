import torch
from torch import nn

net, value = nn.Linear(3, 2), nn.Linear(3, 1)
opt = torch.optim.Adam([*net.parameters(), *value.parameters()])
ret_mean = 0.0
for ep in range(4):
    obs = torch.randn(6, 3)
    dist = torch.distributions.Categorical(logits=net(obs))
    act = dist.sample()
    rew = (act == 1).float() * 0.5
    G, out = 0.0, []
    for r in rew.flip(0):
        G = r + 0.9 * G
        out.append(G)
    ret = torch.stack(out[::-1])
    adv = ret - value(obs).squeeze(-1).detach()
    loss = -(dist.log_prob(act) * adv).mean() + nn.functional.mse_loss(value(obs).squeeze(-1), ret)
    ret_mean = 0.9 * ret_mean + 0.1 * ret.mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if ret_mean > 10:
        break
