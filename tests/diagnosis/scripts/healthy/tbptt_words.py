import torch
from torch import nn


class LM(nn.Module):
    def __init__(self, vocab, d):
        super().__init__()
        self.emb = nn.Embedding(vocab, d, padding_idx=0)
        self.rnn = nn.GRU(d, d)
        self.out = nn.Linear(d, vocab)

    def forward(self, tokens, h):
        out, h = self.rnn(self.emb(tokens), h)
        return self.out(out), h


def repackage(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage(v) for v in h)


lm = LM(11, 6)
opt = torch.optim.SGD(lm.parameters(), lr=0.5)
data = torch.randint(1, 11, (20, 3))
h = torch.zeros(1, 3, 6)
total = 0.0
for i in range(0, 15, 5):
    x, y = data[i : i + 5], data[i + 1 : i + 6]
    h = repackage(h)
    logits, h = lm(x, h)
    loss = nn.functional.cross_entropy(logits.view(-1, 11), y.reshape(-1), ignore_index=0)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(lm.parameters(), 0.25)
    opt.step()
    total += loss.item()
print(torch.exp(torch.tensor(total / 3)))
