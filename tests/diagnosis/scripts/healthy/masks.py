import torch
from torch import nn


class MaskedMean(nn.Module):
    def forward(self, h, lengths):
        mask = torch.arange(h.size(1))[None, :] < lengths[:, None]
        h = h.masked_fill(~mask.unsqueeze(-1), 0.0)
        return h.sum(1) / lengths.clamp(min=1).unsqueeze(-1)


emb = nn.Embedding(20, 5)
head = nn.Linear(5, 1)
opt = torch.optim.Adam([{"params": emb.parameters(), "lr": 1e-2}, {"params": head.parameters()}])
tok = torch.randint(0, 20, (4, 6))
lengths = torch.tensor([3, 6, 2, 1])
target = torch.tensor([0.0, 1.0, 1.0, 0.0])
for _ in range(3):
    logit = head(MaskedMean()(emb(tok), lengths)).squeeze(-1)
    w = torch.where(target > 0.5, 2.0, 1.0)
    loss = nn.functional.binary_cross_entropy_with_logits(logit, target, weight=w)
    opt.zero_grad()
    loss.backward()
    opt.step()
    pred = (torch.sigmoid(logit) > 0.5).long()
    tp = ((pred == 1) & (target == 1)).sum().item()
