import torch
from torch import nn


class Enc(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 2)

    @torch.inference_mode()  # <- here
    def forward(self, x):
        return torch.tanh(self.l(x))


enc, head = Enc(), nn.Linear(2, 1)
loss = head(enc(torch.randn(4, 3))).sum()
loss.backward()
