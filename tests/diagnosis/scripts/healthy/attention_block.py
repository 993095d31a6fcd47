import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.qkv, self.o, self.h = nn.Linear(d, 3 * d), nn.Linear(d, d), h

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        att = q @ k.transpose(-2, -1) / math.sqrt(d // self.h)
        mask = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
        att = att.masked_fill(mask, float("-inf")).softmax(-1)
        return self.o((att @ v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.att = SelfAttention(d, 2)
        self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * d, d))

    def forward(self, x):
        x = x + self.att(self.ln1(x))
        return x + self.ff(self.ln2(x))


net = nn.Sequential(nn.Embedding(9, 8), Block(8), Block(8), nn.Linear(8, 9))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95))
lr = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / 10))
for _ in range(3):
    x = torch.randint(0, 9, (2, 6))
    loss = nn.functional.cross_entropy(net(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
    lr.step()
net.eval()
with torch.inference_mode():
    seq = torch.zeros(1, 1, dtype=torch.long)
    for _ in range(3):
        nxt = net(seq)[:, -1].softmax(-1).multinomial(1)
        seq = torch.cat([seq, nxt], 1)
print(seq.tolist())
